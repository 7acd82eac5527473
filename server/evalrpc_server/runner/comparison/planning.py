"""Plans: how large an experiment must be to show a difference."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from contextlib import aclosing

from msgspec import Struct

from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.spec.verdicts import MeasuredVariances, PlanSpec
from evalrpc_server.domain.statistics.moments import moments, total
from evalrpc_server.domain.statistics.planning import (
    Scatter,
    Variances,
    expected_variances,
    items_needed,
    measured_variances,
    scatter,
)
from evalrpc_server.domain.statistics.scores import TrialScores, by_item
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.runs import StoredRun
from evalrpc_server.store.port import ExperimentStore

_TRIALS = (1, 2, 3, 5, 10)
_MOST_ITEMS = 2**31 - 1


class Plan(Struct, frozen=True):
    """So many items with so many trials each."""

    trials: int
    items: int


class Plans(Struct, frozen=True):
    """Plans for some numbers of trials, and the variances that they are for."""

    plans: Sequence[Plan]
    variances: Variances


async def plan(spec: PlanSpec, comparisons: Comparisons, store: ExperimentStore) -> Plans:
    """Returns how many items it takes for each number of trials.

    Raises:
        RequestError: an experiment cannot be measured, or the difference is too small to be seen.
    """
    if spec.given is not None:
        variances = Variances(
            between_items=spec.given.between_items,
            baseline_within_item=spec.given.baseline_within_item,
            candidate_within_item=spec.given.candidate_within_item,
        )
    else:
        assert spec.measured is not None, "a plan has one source of variances"
        variances = await _measured(spec.measured, comparisons, store)
    plans = [
        Plan(
            trials,
            items_needed(
                spec.difference,
                variances,
                trials=trials,
                power=spec.power,
                significance=spec.significance,
            ),
        )
        for trials in spec.trials or _TRIALS
    ]
    if max(each.items for each in plans) > _MOST_ITEMS:
        problem = f"is so small that it takes more than {_MOST_ITEMS:,} items to see; plan for a larger one"
        raise InvalidRequestError([Violation("difference", problem)])
    return Plans(plans, variances)


async def _measured(
    measured: MeasuredVariances, comparisons: Comparisons, store: ExperimentStore
) -> Variances:
    baseline = await _trials(
        StoredRun(store, await comparisons.ended(measured.experiment_id)),
        measured.evaluation,
        "measured.experiment_id",
    )
    before = await asyncio.to_thread(scatter, baseline.values())
    if not measured.candidate_id:
        return expected_variances(before)
    candidate = await _trials(
        StoredRun(store, await comparisons.ended(measured.candidate_id)),
        measured.evaluation,
        "measured.candidate_id",
    )
    shared = baseline.keys() & candidate.keys()
    if len(shared) < 2:
        problem = f"must be an experiment over the same items; it has {len(shared)} with a value in common"
        raise InvalidRequestError([Violation("measured.candidate_id", problem)])
    return await asyncio.to_thread(_between, baseline, candidate, sorted(shared), before)


def _between(
    baseline: Mapping[str, Sequence[float]],
    candidate: Mapping[str, Sequence[float]],
    shared: Sequence[str],
    before: Scatter,
) -> Variances:
    differences = array("d", (_mean(candidate[key]) - _mean(baseline[key]) for key in shared))
    return measured_variances(
        before, scatter(candidate.values()), moments(differences).variance, pairs=len(differences)
    )


def _mean(values: Sequence[float]) -> float:
    return total(values) / len(values)


async def _trials(run: StoredRun, evaluation: str, path: str) -> Mapping[str, Sequence[float]]:
    """Returns the values of each item's trials by the item's id; items without a value are left out.

    Raises:
        InvalidRequestError: fewer than two items have a value.
    """
    found: dict[str, array[float]] = {}

    def add(page: Sequence[TrialScores]) -> None:
        for item in by_item(page):
            values = array(
                "d",
                (
                    score.value
                    for trial in item
                    for score in trial.scores
                    if score.name == evaluation
                    and score.value is not None
                    and not isinstance(score.value, str)
                ),
            )
            if values:
                found[item[0].item_id] = values

    async with aclosing(run.scores("")) as pages:
        async for page in pages:
            await asyncio.to_thread(add, page)
    if len(found) < 2:
        problem = (
            f"has fewer than two items with a number or boolean of {evaluation!r}; name another evaluation"
        )
        raise InvalidRequestError([Violation(path, problem)])
    return found
