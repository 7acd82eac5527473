"""Means and their scatter, of independent values and of values in clusters."""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct


def total(values: Iterable[float]) -> float:
    """Returns the exact sum, rounded once; where it is beyond all numbers, an infinity or NaN."""
    numbers = values if isinstance(values, Sequence) else list(values)
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)


class Moments(Struct, frozen=True):
    """What is known of values in a row.

    Attributes:
        n: how many there are.
        mean: 0 where there are none.
        variance: the sample variance; 0 below two values. As the mean, no finite number where the values are too large.
    """

    n: int
    mean: float
    variance: float

    @property
    def standard_deviation(self) -> float:
        """The sample standard deviation."""
        return math.sqrt(self.variance)

    @property
    def standard_error(self) -> float:
        """The mean's standard error, the values being independent."""
        return math.sqrt(self.variance / self.n) if self.n else 0.0


def moments(values: Sequence[float]) -> Moments:
    """Returns mean and variance, in two passes with exact sums, so that no digit is lost to a large mean."""
    n = len(values)
    if n == 0:
        return Moments(0, 0.0, 0.0)
    mean = total(values) / n
    if n == 1:
        return Moments(n, mean, 0.0)
    deviations = array("d", (value - mean for value in values))
    return Moments(n, mean, total(array("d", (each * each for each in deviations))) / (n - 1))


class Clustered(Struct, frozen=True):
    """The standard error of a mean of values in clusters; `clusters` tells how many there are."""

    standard_error: float
    clusters: int


def clustered(values: Sequence[float], keys: Iterable[Hashable]) -> Clustered:
    """Returns the standard error where values of one cluster go together; 0 for a single cluster.

    The residuals' sum of each cluster is squared, `sqrt(C / (C - 1) * sum_c (sum_i (x_i - mean))^2) / n`: the sandwich of
    Liang and Zeger 1986 as Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), has it for means, with the
    correction for few clusters that is usual in regressions.
    """
    n = len(values)
    mean = total(values) / n if n else 0.0
    sums: dict[Hashable, float] = {}
    for value, key in zip(values, keys, strict=True):
        sums[key] = sums.get(key, 0.0) + value - mean
    count = len(sums)
    if count < 2:
        return Clustered(0.0, count)
    scatter = total([each * each for each in sums.values()])
    return Clustered(math.sqrt(count / (count - 1) * scatter) / n, count)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Returns Pearson's correlation of pairs; None where a side does not vary, or beyond all numbers."""
    first, second = moments(one), moments(other)
    scale = first.standard_deviation * second.standard_deviation
    if not 0 < scale < math.inf:
        return None
    products = [(x - first.mean) * (y - second.mean) for x, y in zip(one, other, strict=True)]
    return max(-1.0, min(1.0, total(products) / (first.n - 1) / scale))
