"""Bounds on the values of a result."""

from __future__ import annotations

import operator
from collections.abc import Callable

from evalrpc._model.result import ExperimentResult

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_FAILED = "failed"


def value_of(name: str, result: ExperimentResult) -> float | None:
    """Returns a run evaluation's value, or else the mean of an item evaluation, or else the number of failed items."""
    for evaluation in result.run_evaluations:
        if evaluation.name == name:
            return None if isinstance(evaluation.value, str | None) else float(evaluation.value)
    for summary in result.experiment.summaries:
        if summary.name == name:
            return summary.mean
    if name == _FAILED:
        return float(len(result.failed_items))
    return None
