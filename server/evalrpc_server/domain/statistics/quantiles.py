"""Quantiles."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that summaries tell."""


class Quantile(Struct, frozen=True):
    """A value that the share `probability` of values is not above."""

    probability: float
    value: float


def quantile(ordered: Sequence[float], probability: float) -> float:
    """Returns a quantile of ascending values, at least one, interpolated linearly (Hyndman and Fan 1996, type 7)."""
    place = probability * (len(ordered) - 1)
    below = int(place)
    if below + 1 >= len(ordered):
        return ordered[-1]
    low, high = ordered[below], ordered[below + 1]
    return low + (high - low) * (place - below)
