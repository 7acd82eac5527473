"""Intervals of confidence."""

from __future__ import annotations

import math

from msgspec import Struct

from evalrpc_server.domain.statistics.distributions import critical_normal, critical_student

DEFAULT_CONFIDENCE = 0.95


class Interval(Struct, frozen=True, kw_only=True):
    """An interval that holds the true value with a confidence, such as 0.95."""

    low: float
    high: float
    confidence: float


def mean_interval(mean: float, standard_error: float, *, df: float, confidence: float) -> Interval:
    """Returns Student's interval of a mean; `df` are the degrees of freedom, values or clusters less 1."""
    reach = critical_student(confidence, df) * standard_error
    return Interval(low=mean - reach, high=mean + reach, confidence=confidence)


def rate_interval(rate: float, n: float, *, confidence: float, df: float | None = None) -> Interval:
    """Returns the score interval of a rate (Wilson 1927), which holds also near 0 and 1 and for few values.

    Args:
        rate: from 0 to 1.
        n: how many independent values it is over; not whole where it is an effective number.
        confidence: of the interval.
        df: degrees of freedom of the scatter that an effective number was estimated from; None where n is exact.
    """
    reach = critical_normal(confidence) if df is None else critical_student(confidence, df)
    squared = reach * reach
    middle = (rate + squared / (2 * n)) / (1 + squared / n)
    half = reach / (1 + squared / n) * math.sqrt(rate * (1 - rate) / n + squared / (4 * n * n))
    low = middle - half if rate > 0 else 0.0
    high = middle + half if rate < 1 else 1.0
    return Interval(low=max(0.0, low), high=min(1.0, high), confidence=confidence)


def effective_number(rate: float, standard_error: float, clusters: int) -> float:
    """Returns how many independent values would tell a rate as exactly as values in clusters do.

    The number of values divided by the design effect (Kish 1965), for score intervals of clustered rates (Korn and Graubard
    1998). Where the values do not scatter it is the number of clusters, the least it can be.
    """
    if standard_error <= 0 or not 0 < rate < 1:
        return float(clusters)
    return rate * (1 - rate) / (standard_error * standard_error)
