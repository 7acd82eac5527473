"""Conditions on a result that fail a build."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalrpc._model.conditions import COMPARISONS, value_of
from evalrpc._model.result import ExperimentResult

_CONDITION = re.compile(r"\s*(?P<name>.*?\S)\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<bound>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition that should not hold, such as `avg_accuracy < 0.8`."""

    name: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """Reads a condition.

        Raises:
            ValueError: it is none.
        """
        match = _CONDITION.fullmatch(text)
        try:
            bound = float(match["bound"]) if match else math.nan
        except ValueError:
            bound = math.nan
        if match is None or not math.isfinite(bound):
            raise ValueError(f"{text!r} is not of the form NAME < NUMBER; also <=, >, >=, == and !=")
        return cls(match["name"], match["comparison"], bound)

    def missed(self, result: ExperimentResult) -> str | None:
        """Says why a result misses the threshold; None if it does not. One without the value misses it."""
        value = value_of(self.name, result)
        if value is None:
            return f"{self}: there is no value of {self.name}"
        if COMPARISONS[self.comparison](value, self.bound):
            return f"{self}: {self.name} is {value:.6g}"
        return None

    def __str__(self) -> str:
        """The condition as it was given."""
        return f"{self.name} {self.comparison} {self.bound:g}"


def missed(thresholds: Sequence[Threshold], result: ExperimentResult) -> dict[Threshold, str]:
    """Returns the thresholds that a result misses, and why."""
    reasons = {threshold: threshold.missed(result) for threshold in thresholds}
    return {threshold: reason for threshold, reason in reasons.items() if reason is not None}
