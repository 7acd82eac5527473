"""Evaluators at work: bounded in time and number, and isolated, so that one that fails spoils nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.evaluators.port import Case, Evaluator, EvaluatorError, RunEvaluator
from evalrpc_server.runner.faults import fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """An evaluator of items.

    Attributes:
        name: of its evaluations, unless it names them itself.
        reference: who judges, `name@version`, for a registered evaluator; empty for what the evaluator says itself.
        timeout: seconds for one call.
        slots: its calls in flight.
    """

    name: str
    evaluator: Evaluator
    timeout: float
    slots: asyncio.Semaphore
    reference: str = ""

    async def judge(self, case: Case) -> tuple[Evaluation, ...]:
        """Returns the evaluations of a case; where the evaluator failed, one that says why."""
        stopwatch = Stopwatch(self.timeout)
        try:
            async with self.slots:
                with stopwatch:
                    found = await self.evaluator.evaluate(case)
        except EvaluatorError as error:
            return self._failed(error.error)
        except TimeoutError as error:
            late = stopwatch.expired
            return self._failed(_timeout(self.timeout) if late else fault(error, f"evaluator {self.name}"))
        except Exception as error:  # noqa: BLE001  a bug in one evaluator must not spoil the others
            return self._failed(fault(error, f"evaluator {self.name}"))
        return finished(found, self.name, self._reference)

    @property
    def _reference(self) -> str:
        return self.reference or self.evaluator.reference

    def _failed(self, error: Error) -> tuple[Evaluation, ...]:
        return (Evaluation(name=self.name, evaluator=self._reference, error=error),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJudge:
    """An evaluator of runs; `timeout` is in seconds."""

    name: str
    evaluator: RunEvaluator
    timeout: float
    reference: str = ""

    async def judge(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> tuple[Evaluation, ...]:
        """Returns the evaluations of a run; where the evaluator failed, one that says why."""
        stopwatch = Stopwatch(self.timeout)
        try:
            with stopwatch:
                found = await self.evaluator.evaluate_run(experiment, results)
        except EvaluatorError as error:
            return self._failed(error.error)
        except TimeoutError as error:
            late = stopwatch.expired
            return self._failed(
                _timeout(self.timeout) if late else fault(error, f"run evaluator {self.name}")
            )
        except Exception as error:  # noqa: BLE001  a bug in one evaluator must not spoil the others
            return self._failed(fault(error, f"run evaluator {self.name}"))
        return finished(found, self.name, self._reference)

    @property
    def _reference(self) -> str:
        return self.reference or self.evaluator.reference

    def _failed(self, error: Error) -> tuple[Evaluation, ...]:
        return (Evaluation(name=self.name, evaluator=self._reference, error=error),)


def finished(found: Sequence[Evaluation], name: str, reference: str) -> tuple[Evaluation, ...]:
    """Returns evaluations with their names and authors filled in; a value that is no finite number is an error."""
    return tuple(_finished(evaluation, name, reference) for evaluation in found)


def _finished(evaluation: Evaluation, name: str, reference: str) -> Evaluation:
    value = evaluation.value
    if isinstance(value, float) and not math.isfinite(value):
        return Evaluation(name=evaluation.name or name, evaluator=reference, error=_NOT_FINITE)
    if evaluation.name and evaluation.evaluator == reference:
        return evaluation
    return replace(evaluation, name=evaluation.name or name, evaluator=reference)


_NOT_FINITE = Error(
    reason=Reason.EVALUATOR_INVALID_ANSWER,
    message="The evaluator answered with a number that is not finite.",
    metadata={"field": "value"},
)


def _timeout(seconds: float) -> Error:
    return Error(
        reason=Reason.EVALUATOR_TIMEOUT,
        message=f"The evaluator gave no complete answer within {seconds:g} s; raise its timeout if it needs longer.",
        metadata={"timeout_seconds": f"{seconds:g}"},
        retryable=True,
    )
