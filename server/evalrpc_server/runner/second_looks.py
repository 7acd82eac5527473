"""Second looks: experiments that evaluate an earlier one's outputs anew, or repeat what failed in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Protocol

from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, PreconditionError, Violation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.second_look import Origin, OriginKind, RetryScope
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.store.port import ExperimentStore, ItemStore


class SecondLookStore(ExperimentStore, ItemStore, Protocol):
    """Where earlier experiments are."""


class SecondLooks:
    """Turns a request to look at an experiment again into a new experiment over the same items.

    The new experiment has a result of its own for every trial that it looks at, those that it keeps as they were
    included, and is recorded in Langfuse as a run of its own.
    """

    def __init__(self, acceptance: Acceptance, store: SecondLookStore, clock: Clock) -> None:
        self._acceptance = acceptance
        self._store = store
        self._clock = clock

    async def evaluate(
        self,
        experiment_id: str,
        *,
        evaluators: Sequence[EvaluatorSpec],
        composite: EvaluatorSpec | None,
        run_evaluators: Sequence[EvaluatorSpec],
        run_name: str,
        request_id: str,
    ) -> Experiment:
        """Returns an experiment that looks at stored outputs with other evaluators; gates are not taken over.

        Raises:
            InvalidRequestError: there is no evaluator, or one of them cannot be used.
            NotFoundError: there is no such experiment.
            PreconditionError: it has not ended.
        """
        earlier = await self._ended(experiment_id)
        if not evaluators and not run_evaluators:
            problem = "must hold at least one evaluator, unless run_evaluators does"
            raise InvalidRequestError([Violation("evaluators", problem)])
        spec = earlier.spec.model_copy(
            update={
                "evaluators": tuple(evaluators),
                "composite_evaluator": composite,
                "run_evaluators": tuple(run_evaluators),
                "gates": (),
                "run_name": run_name or self._run_name(earlier, "evaluated"),
            }
        )
        return await self._accept(
            earlier, spec, Origin(experiment_id=earlier.id, kind=OriginKind.EVALUATE), request_id
        )

    async def retry(
        self, experiment_id: str, *, scope: RetryScope, run_name: str, request_id: str
    ) -> Experiment:
        """Returns an experiment that repeats what failed, and keeps the rest.

        Raises:
            NotFoundError: there is no such experiment.
            PreconditionError: it has not ended, its data was never read to the end, or nothing of the scope failed.
        """
        earlier = await self._ended(experiment_id)
        origin = Origin(experiment_id=earlier.id, kind=OriginKind.RETRY, scope=scope)
        if not _anything_failed(earlier, origin):
            raise PreconditionError(
                Reason.NOTHING_TO_RETRY,
                f"nothing of the scope {scope} failed in experiment {earlier.id!r}",
                experiment_id=earlier.id,
                scope=scope,
            )
        spec = earlier.spec.model_copy(update={"run_name": run_name or self._run_name(earlier, "retried")})
        return await self._accept(earlier, spec, origin, request_id)

    async def _accept(
        self, earlier: Experiment, spec: ExperimentSpec, origin: Origin, request_id: str
    ) -> Experiment:
        pinned = earlier.registered if origin.kind is OriginKind.RETRY else None
        accepted = await self._acceptance.accept(spec, request_id=request_id, path="", pinned=pinned)
        progress = accepted.progress
        if not origin.calls_task:
            progress = replace(progress, total=earlier.progress.completed)
        return replace(accepted, items=earlier.items, origin=origin, progress=progress)

    async def _ended(self, experiment_id: str) -> Experiment:
        experiment = await self._store.get_experiment(experiment_id)
        if experiment is None:
            raise NotFoundError(
                Reason.EXPERIMENT_NOT_FOUND,
                f"no experiment has the id {experiment_id!r}",
                experiment_id=experiment_id,
            )
        collection = await self._store.get_collection(experiment.items)
        if not experiment.state.final or collection is None or not collection.complete:
            problem = "its data was never read to the end" if experiment.state.final else experiment.state
            raise PreconditionError(
                Reason.EXPERIMENT_NOT_ENDED,
                f"experiment {experiment_id!r} cannot be looked at again: {problem}",
                experiment_id=experiment_id,
                state=experiment.state,
            )
        return experiment

    def _run_name(self, earlier: Experiment, done: str) -> str:
        ending = f" - {done} {self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        return earlier.spec.run_name[: 255 - len(ending)] + ending


def _anything_failed(experiment: Experiment, origin: Origin) -> bool:
    progress = experiment.progress
    unfinished = progress.failed > 0 or progress.total is None or progress.completed < progress.total
    misjudged = any(summary.errors for summary in experiment.summaries.values()) or any(
        evaluation.error is not None for evaluation in experiment.run_evaluations
    )
    return (origin.calls_task and unfinished) or (origin.evaluates and misjudged)
