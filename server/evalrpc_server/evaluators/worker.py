"""Evaluator functions that connected workers host, of items and of runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence

from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import WorkerEvaluator as WorkerSpec
from evalrpc_server.domain.stopwatch import time_limit
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.tracing import baggage, traceparent
from evalrpc_server.workers.functions import FunctionKind, FunctionRef
from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.work import (
    Evaluated,
    Failed,
    ItemWork,
    RunWork,
    Work,
    WorkerLostError,
    WorkTooLargeError,
)

_ATTEMPTS = 3
"""How many workers may be lost with one call."""


class WorkerEvaluator:
    """Has workers call the function. When one is lost with a call, another takes it over."""

    def __init__(self, spec: WorkerSpec, name: str, workers: Workers) -> None:
        self._function = spec.function
        self._name = name
        self._workers = workers

    @property
    def reference(self) -> str:
        """Who judges: the evaluator's name, as a function tells no version."""
        return self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the evaluations of a case.

        Raises:
            EvaluatorError: the function gave none.
        """
        context = {"baggage": baggage(case.experiment, case.item.id)}
        if case.trace_id:
            context["traceparent"] = traceparent(case.trace_id, case.span_id)
        return await self._call(
            Work(
                function=FunctionRef(self._function, FunctionKind.EVALUATOR),
                payload=ItemWork(case, self._name),
                experiment_id=case.experiment.id,
                unit=case.trace_id,
                timeout=time_limit(),
                trace_context=context,
            )
        )

    async def evaluate_run(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> Sequence[Evaluation]:
        """Returns the evaluations of a run, whose results are sent as the worker takes them in.

        Raises:
            EvaluatorError: the function gave none.
        """
        return await self._call(
            Work(
                function=FunctionRef(self._function, FunctionKind.RUN_EVALUATOR),
                payload=RunWork(experiment, self._name, results),
                experiment_id=experiment.id,
                unit=experiment.id,
                timeout=time_limit(),
            )
        )

    async def aclose(self) -> None:
        """Does nothing: the workers belong to all experiments."""

    async def _call(self, work: Work) -> Sequence[Evaluation]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                outcome = await self._workers.call(replace(work, attempt=attempt))
            except WorkerLostError:
                continue
            except WorkTooLargeError as problem:
                raise EvaluatorError(_too_large(problem)) from None
            match outcome:
                case Evaluated(evaluations):
                    return evaluations
                case Failed(error):
                    raise EvaluatorError(error)
            raise AssertionError("an evaluator function gives no task's answer")
        raise EvaluatorError(self._lost())

    def _lost(self) -> Error:
        return Error(
            reason=Reason.WORKER_LOST,
            message=f"Every worker that ran {self._function!r} went away, or was silent for longer than its lease.",
            metadata={"function": self._function, "attempts": str(_ATTEMPTS)},
            retryable=True,
        )


def _too_large(error: WorkTooLargeError) -> Error:
    return Error(
        reason=Reason.EVALUATOR_INVALID_ANSWER,
        message=f"What is to be judged takes {error.size_bytes} bytes as a message; the limit is {error.limit_bytes} bytes.",
        metadata={"limit_bytes": str(error.limit_bytes), "size_bytes": str(error.size_bytes)},
    )
