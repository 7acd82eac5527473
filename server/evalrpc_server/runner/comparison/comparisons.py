"""Comparisons of runs, as callers and gates ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, PreconditionError, Violation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.verdicts import ComparisonSpec, RunRef, TrialReducer, reducers_of
from evalrpc_server.domain.statistics.comparison import (
    EvaluationComparison,
    FlippedItem,
    Rules,
    RunComparison,
    compare,
)
from evalrpc_server.domain.statistics.scores import Reduced
from evalrpc_server.runner.comparison.runs import OpenRun, RecordedRuns, StoredRun, load
from evalrpc_server.store.port import ExperimentStore

_AT_ONCE = 2
_FLIP_CHARACTERS = 700_000


class Flip(Struct, frozen=True, kw_only=True):
    """An item whose value changed, with both outputs; None where there is none."""

    item: Item
    baseline_value: float
    candidate_value: float
    baseline_output: Document | None
    candidate_output: Document | None


class Compared(Struct, frozen=True):
    """A candidate beside its baseline: their names, what was found, and the flips of each evaluation in its order."""

    baseline: str
    candidate: str
    found: RunComparison
    flips: Sequence[Sequence[Flip]]


class Comparisons:
    """Compares runs, a few at a time; what takes long is done in threads.

    Args:
        store: where experiments are.
        recorded: where other runs are; None where there are none.
    """

    def __init__(self, store: ExperimentStore, recorded: RecordedRuns | None = None) -> None:
        self._store = store
        self._recorded = recorded
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._gate_places = asyncio.Semaphore(_AT_ONCE)

    async def compare(self, spec: ComparisonSpec) -> list[Compared]:
        """Sets each run beside the first one.

        Raises:
            RequestError: a run does not exist, has not ended, or cannot be read.
        """
        runs = [
            await self.open(ref, path=f"experiments[{number}]") for number, ref in enumerate(spec.experiments)
        ]
        reducers, cluster_by = _defaults(spec.trial_reducers, spec.cluster_by, runs[0])
        rules = Rules(
            margins=spec.margins,
            margin=spec.margin,
            confidence=spec.confidence,
            max_flips=spec.max_flips,
            evaluations=frozenset(spec.evaluations),
            lower_is_better=frozenset(spec.lower_is_better),
        )
        async with self._places:
            baseline = await load(runs[0], reducers_of(reducers), cluster_by)
            self._check_evaluations(spec, baseline, runs[0])
            room = _FLIP_CHARACTERS // (len(runs) - 1)
            return [
                await _compared(runs[0], baseline, run, await load(run, baseline.reducers, ""), rules, room)
                for run in runs[1:]
            ]

    async def compare_with(
        self, baseline: RunRef, candidate: Experiment, rules: Rules, *, path: str
    ) -> RunComparison:
        """Sets an experiment, which need not have ended, beside a baseline. Trials are reduced as its spec says.

        Raises:
            RequestError: the baseline does not exist, has not ended, or cannot be read.
        """
        run = await self.open(baseline, path=path)
        reducers = reducers_of(candidate.spec.trial_reducers)
        async with self._gate_places:
            before = await load(run, reducers, candidate.spec.cluster_by)
            after = await load(StoredRun(self._store, candidate), reducers, "")
            return await asyncio.to_thread(compare, before, after, rules)

    async def open(self, ref: RunRef, *, path: str) -> OpenRun:
        """Finds a run; `path` is where it stands in the request.

        Raises:
            RequestError: it does not exist, has not ended, or cannot be asked for.
        """
        if ref.langfuse_run is not None:
            return await self._checked_recorded().open(ref.langfuse_run, path=f"{path}.langfuse_run")
        return StoredRun(self._store, await self.ended(ref.id or ""))

    async def check(self, ref: RunRef, *, path: str) -> None:
        """Checks that a run can be compared with later.

        Raises:
            RequestError: it cannot.
        """
        if ref.langfuse_run is not None:
            self._checked_recorded().check(ref.langfuse_run, path=f"{path}.langfuse_run")
        else:
            await self.ended(ref.id or "")

    async def ended(self, experiment_id: str) -> Experiment:
        """Returns an experiment that has ended.

        Raises:
            NotFoundError: there is none of that id.
            PreconditionError: it has not ended.
        """
        experiment = await self._store.get_experiment(experiment_id)
        if experiment is None:
            raise NotFoundError(
                Reason.EXPERIMENT_NOT_FOUND,
                f"no experiment has the id {experiment_id!r}",
                experiment_id=experiment_id,
            )
        if not experiment.state.final:
            raise PreconditionError(
                Reason.EXPERIMENT_NOT_ENDED,
                f"experiment {experiment_id} is {experiment.state}; wait for its end, or cancel it",
                experiment_id=experiment_id,
                state=experiment.state,
            )
        return experiment

    def _checked_recorded(self) -> RecordedRuns:
        if self._recorded is None:
            raise PreconditionError(
                Reason.LANGFUSE_NOT_CONFIGURED,
                "the run is in Langfuse, and the server has no Langfuse project",
                hint="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY on the server",
            )
        return self._recorded

    @staticmethod
    def _check_evaluations(spec: ComparisonSpec, baseline: Reduced, run: OpenRun) -> None:
        unknown = [
            Violation(
                f"evaluations[{number}]",
                f"{name!r} has no numbers or booleans in {run.name}; those that have: {_listed(baseline)}",
            )
            for number, name in enumerate(spec.evaluations)
            if name not in baseline.columns
        ]
        if unknown:
            raise InvalidRequestError(unknown)


def _listed(reduced: Reduced) -> str:
    return ", ".join(sorted(reduced.columns)[:10]) or "none"


def _defaults(
    reducers: tuple[TrialReducer, ...], cluster_by: str, baseline: OpenRun
) -> tuple[tuple[TrialReducer, ...], str]:
    """Returns what a request leaves to the baseline's spec."""
    if isinstance(baseline, StoredRun):
        spec = baseline.experiment.spec
        return reducers or spec.trial_reducers, cluster_by or spec.cluster_by
    return reducers, cluster_by


async def _compared(
    baseline_run: OpenRun,
    baseline: Reduced,
    candidate_run: OpenRun,
    candidate: Reduced,
    rules: Rules,
    characters: int,
) -> Compared:
    found = await asyncio.to_thread(compare, baseline, candidate, rules)
    room = characters // max(1, sum(bool(one.flips) for one in found.evaluations)) // 2
    flips = [
        await _flips(one, baseline_run, baseline, candidate_run, candidate, room) if one.flips else ()
        for one in found.evaluations
    ]
    return Compared(baseline_run.name, candidate_run.name, found, flips)


async def _flips(
    comparison: EvaluationComparison,
    baseline_run: OpenRun,
    baseline: Reduced,
    candidate_run: OpenRun,
    candidate: Reduced,
    characters: int,
) -> list[Flip]:
    """Returns as many flips as there is room for, with both outputs."""
    flips: Sequence[FlippedItem] = comparison.flips
    afters = await candidate_run.shown(
        candidate, [flip.candidate_place for flip in flips], characters=characters
    )
    befores = await baseline_run.shown(
        baseline, [flip.baseline_place for flip in flips[: len(afters)]], characters=characters
    )
    return [
        Flip(
            item=after.item,
            baseline_value=flip.baseline_value,
            candidate_value=flip.candidate_value,
            baseline_output=before.output,
            candidate_output=after.output,
        )
        for flip, before, after in zip(flips, befores, afters, strict=False)
    ]
