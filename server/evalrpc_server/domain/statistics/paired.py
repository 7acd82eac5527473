"""Differences of pairs: two runs over the same items."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from evalrpc_server.domain.statistics.distributions import (
    critical_normal,
    normal_quantile,
    sign_test,
    student_p_value,
)
from evalrpc_server.domain.statistics.intervals import Interval, mean_interval
from evalrpc_server.domain.statistics.moments import clustered, moments

PERMUTED_BELOW = 30
"""For fewer pairs of numbers than this, signs are permuted."""

DETECTED_WITH_POWER = 0.8
"""The power with which the smallest detectable difference is seen."""

_BISECTIONS = 60


class Test(StrEnum):
    """The tests of a difference between pairs."""

    PAIRED_T = "PAIRED_T"
    MCNEMAR_EXACT = "MCNEMAR_EXACT"
    SIGN_FLIP = "SIGN_FLIP"

    __test__ = False  # to pytest, which collects what is named so


class PairedDifference(Struct, frozen=True, kw_only=True):
    """The mean of differences, candidate less baseline, and how sure it is.

    Attributes:
        difference: the mean.
        standard_error: of the mean.
        interval: of the mean.
        p_value: the probability of such a difference by chance, two-sided.
        test: behind `p_value`.
        detectable: the smallest true difference that so many pairs show with a power of 0.8.
    """

    difference: float
    standard_error: float
    interval: Interval
    p_value: float
    test: Test
    detectable: float


def paired_difference(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    boolean: bool,
    rate: bool = False,
    clusters: Sequence[Hashable] = (),
    confidence: float,
) -> PairedDifference | None:
    """Compares pairs; None for fewer than two pairs, or clusters, and for numbers too large to be computed with.

    Args:
        baseline: the values of one run.
        candidate: the values of the other, of the same items in the same order.
        boolean: whether all values are booleans, as 0 and 1.
        rate: whether all values are shares of booleans, such as means over trials.
        clusters: what each item belongs to; empty where items stand alone.
        confidence: of the interval.
    """
    differences = [after - before for before, after in zip(baseline, candidate, strict=True)]
    found = moments(differences)
    if found.n < 2 or not (math.isfinite(found.mean) and math.isfinite(found.variance)):
        return None
    if clusters:
        grouped = clustered(differences, clusters)
        if grouped.clusters < 2:
            return None
        return _by_student(found.mean, grouped.standard_error, grouped.clusters, confidence)
    if boolean:
        gained = sum(difference > 0 for difference in differences)
        lost = sum(difference < 0 for difference in differences)
        return _of_booleans(gained, lost, found.n, found.standard_error, confidence)
    if rate and found.variance == 0 and found.mean == 0:
        interval, error = rates_difference(0, 0, found.n, confidence)
        return _result(found.mean, 0.0, interval, 1.0, Test.PAIRED_T, error, confidence)
    result = _by_student(found.mean, found.standard_error, found.n, confidence)
    if found.n >= PERMUTED_BELOW:
        return result
    p_value = sign_flip(differences)
    error = found.standard_error
    return _result(found.mean, error, result.interval, p_value, Test.SIGN_FLIP, error, confidence)


def _by_student(mean: float, error: float, count: int, confidence: float) -> PairedDifference:
    """Student's t test of pairs, or of clusters of pairs."""
    interval = mean_interval(mean, error, df=count - 1, confidence=confidence)
    p_value = student_p_value(mean / error, count - 1) if error > 0 else float(mean == 0)
    return _result(mean, error, interval, p_value, Test.PAIRED_T, error, confidence)


def _of_booleans(gained: int, lost: int, n: int, error: float, confidence: float) -> PairedDifference:
    """McNemar's exact test (1947): of the pairs that differ, either direction is equally likely."""
    interval, adjusted = rates_difference(gained, lost, n, confidence)
    p_value = sign_test(gained, lost)
    difference = (gained - lost) / n
    return _result(difference, error, interval, p_value, Test.MCNEMAR_EXACT, adjusted, confidence)


def _result(
    mean: float,
    error: float,
    interval: Interval,
    p_value: float,
    test: Test,
    adjusted_error: float,
    confidence: float,
) -> PairedDifference:
    return PairedDifference(
        difference=mean,
        standard_error=error,
        interval=interval,
        p_value=p_value,
        test=test,
        detectable=(critical_normal(confidence) + normal_quantile(DETECTED_WITH_POWER)) * adjusted_error,
    )


@lru_cache(maxsize=4096)
def rates_difference(gained: int, lost: int, n: int, confidence: float) -> tuple[Interval, float]:
    """Returns the score interval of a difference of paired rates, and the standard error that it amounts to.

    The differences that the score test does not reject; honest also where few pairs differ, or none. Source: Tango 1998,
    "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design".
    """
    reach = critical_normal(confidence)
    difference = (gained - lost) / n
    low = _where_score(gained, lost, n, reach, -1.0, difference)
    high = _where_score(gained, lost, n, -reach, difference, 1.0)
    return Interval(low=low, high=high, confidence=confidence), (high - low) / (2 * reach)


def _where_score(gained: int, lost: int, n: int, score: float, low: float, high: float) -> float:
    """Returns the difference between two others at which the score, which falls, has a value."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if difference_score(gained, lost, n, middle) > score:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def difference_score(gained: int, lost: int, n: int, difference: float) -> float:
    """Returns how many standard errors the pairs are from a difference, if that is the true one (Tango 1998, equation 8)."""
    b = (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    rate = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * rate + difference * (1 - difference))
    distance = gained - lost - n * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def sign_flip(differences: Sequence[float]) -> float:
    """Returns the share of all choices of signs whose sum is at least as far from 0: Fisher's permutation test of pairs.

    Exact for up to 30 differences, at the cost of 2 to the power of half their number: the sums of both halves are paired up.
    Source: Fisher 1935, "The Design of Experiments", section 21.
    """
    sizes = [abs(difference) for difference in differences if difference]
    observed = abs(math.fsum(differences)) - 1e-9 * math.fsum(sizes)
    if observed <= 0:
        return 1.0
    middle = len(sizes) // 2
    one, other = _signed_sums(sizes[:middle]), sorted(_signed_sums(sizes[middle:]))
    beyond = sum(len(other) - bisect_left(other, observed - sum_of_one) for sum_of_one in one)
    return min(1.0, 2 * beyond / (len(one) * len(other)))


def _signed_sums(sizes: Sequence[float]) -> list[float]:
    sums = [0.0]
    for size in sizes:
        sums = [*(each + size for each in sums), *(each - size for each in sums)]
    return sums


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p values corrected for their number, so that one false alarm among them stays as rare as for one.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = highest
    return corrected
