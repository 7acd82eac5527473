"""Planning: how many items and trials it takes to see a difference."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

from msgspec import Struct

from evalrpc_server.domain.statistics.distributions import normal_quantile
from evalrpc_server.domain.statistics.moments import moments


class Variances(Struct, frozen=True, kw_only=True):
    """What scatters.

    Attributes:
        between_items: variance of the items' difference between the runs, without the scatter of trials.
        baseline_within_item: variance of one item's trials in the baseline.
        candidate_within_item: variance of one item's trials in the candidate.
    """

    between_items: float
    baseline_within_item: float
    candidate_within_item: float


def items_needed(
    difference: float, variances: Variances, *, trials: int, power: float, significance: float
) -> int:
    """Returns how many items, each with so many trials in both runs, show a difference with a power.

    `(z_(a/2) + z_b)^2 (w^2 + s_A^2 / K + s_B^2 / K) / d^2`, Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640),
    section 5; at least 2. A number that no experiment can have is `sys.maxsize`.
    """
    reach = normal_quantile(1 - significance / 2) + normal_quantile(power)
    within = (variances.baseline_within_item + variances.candidate_within_item) / trials
    deviations = reach * math.sqrt(variances.between_items + within) / difference
    needed = deviations * deviations
    return max(2, math.ceil(needed)) if needed < sys.maxsize else sys.maxsize


class Scatter(Struct, frozen=True, kw_only=True):
    """How the values of one run scatter.

    Attributes:
        items: how many there are.
        within_item: variance of an item's trials, pooled over items; 0 where no item has several.
        of_means: variance of the items' means over trials.
        per_trial: mean of 1 over an item's number of trials.
    """

    items: int
    within_item: float
    of_means: float
    per_trial: float

    @property
    def between_items(self) -> float:
        """Variance of the items' true means: that of their means, less what trials add to it."""
        return max(0.0, self.of_means - self.within_item * self.per_trial)


def scatter(items: Iterable[Sequence[float]]) -> Scatter:
    """Measures the scatter of items, each given by its trials' values, at least one (one-way analysis of variance)."""
    means: list[float] = []
    per_trial: list[float] = []
    squares, freedom = 0.0, 0
    for values in items:
        found = moments(values)
        means.append(found.mean)
        per_trial.append(1 / found.n)
        squares += found.variance * (found.n - 1)
        freedom += found.n - 1
    return Scatter(
        items=len(means),
        within_item=squares / freedom if freedom else 0.0,
        of_means=moments(means).variance,
        per_trial=math.fsum(per_trial) / len(per_trial) if per_trial else 0.0,
    )


def expected_variances(baseline: Scatter) -> Variances:
    """Returns the variances to plan for when only the baseline is known.

    The candidate's trials are taken to scatter as the baseline's do, and the items' true means to correlate by 0.5 with the
    baseline's: their difference then has the variance of the means themselves. Runs of similar systems mostly correlate
    higher, and need fewer items.
    """
    within = baseline.within_item
    return Variances(
        between_items=baseline.between_items, baseline_within_item=within, candidate_within_item=within
    )


def measured_variances(
    baseline: Scatter, candidate: Scatter, of_differences: float, *, pairs: int
) -> Variances:
    """Returns the variances of two runs over the same items.

    Args:
        baseline: of one run.
        candidate: of the other.
        of_differences: variance of the differences of the items' means.
        pairs: how many differences there are.
    """
    trials = baseline.within_item * baseline.per_trial + candidate.within_item * candidate.per_trial
    return Variances(
        between_items=max(0.0, of_differences - trials) if pairs > 1 else 0.0,
        baseline_within_item=baseline.within_item,
        candidate_within_item=candidate.within_item,
    )
