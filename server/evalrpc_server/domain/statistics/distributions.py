"""The distributions behind intervals and tests: normal, Student's t, binomial."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_NEARLY_NORMAL = 1e7
_TINY = 1e-300
_PRECISION = 1e-15
_MAX_STEPS = 20_000


def normal_quantile(probability: float) -> float:
    """Returns the standard normal's quantile; the probability is above 0 and below 1."""
    return _NORMAL.inv_cdf(probability)


def critical_normal(confidence: float) -> float:
    """Returns how many standard errors a two-sided interval reaches, such as 1.96 for 0.95."""
    return normal_quantile((1 + confidence) / 2)


def student_cdf(t: float, df: float) -> float:
    """Returns Student's distribution function; `df` are the degrees of freedom, above 0.

    Source: NIST Digital Library of Mathematical Functions 8.17.7; Abramowitz and Stegun 26.7.1.
    """
    if df >= _NEARLY_NORMAL:
        return _NORMAL.cdf(t)
    squared = t * t
    if squared < 1:  # where the tail's own form loses digits
        tail = 0.5 - 0.5 * incomplete_beta(0.5, df / 2, squared / (df + squared))
    else:
        tail = 0.5 * incomplete_beta(df / 2, 0.5, df / (df + squared)) if math.isfinite(t) else 0.0
    return 1 - tail if t > 0 else tail


def student_p_value(t: float, df: float) -> float:
    """Returns the probability that Student's t is at least that far from 0, on either side."""
    return 2 * student_cdf(-abs(t), df)


@lru_cache(maxsize=1024)
def critical_student(confidence: float, df: float) -> float:
    """Returns how many standard errors a two-sided interval of a mean reaches; `df` are the degrees of freedom."""
    normal = critical_normal(confidence)
    if df >= _NEARLY_NORMAL:
        return normal
    tail = (1 - confidence) / 2
    low, high = 0.0, 2 * normal + 1
    while student_cdf(-high, df) > tail:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if student_cdf(-middle, df) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def sign_test(one: int, other: int) -> float:
    """Returns the two-sided probability of so uneven a split, where either side is equally likely (exact binomial)."""
    count, fewer = one + other, min(one, other)
    if count == 0 or one == other:
        return 1.0
    return min(1.0, 2 * incomplete_beta(count - fewer, fewer + 1, 0.5))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Returns the regularized incomplete beta function.

    Source: its continued fraction (DLMF 8.17.22), evaluated as by Lentz, Applied Optics 15 (1976) 668.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a / _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float) -> float:
    fraction = c = 1.0
    d = 0.0
    for step in range(1, _MAX_STEPS):
        half, odd = divmod(step, 2)
        if odd:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return fraction
