"""Assertions on experiments, which show the items that are to blame; for pytest and every other test framework."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from evalrpc._model.blame import blame
from evalrpc._model.conditions import COMPARISONS, value_of
from evalrpc._model.experiment import ExperimentState
from evalrpc._model.result import ExperimentResult

__all__ = ["assert_passes"]

_CONDITION = re.compile(r"\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<bound>\S+)\s*")


def assert_passes(
    result: ExperimentResult,
    thresholds: Mapping[str, float | str] | None = None,
    *,
    max_failed_items: int = 0,
) -> None:
    """Asserts that an experiment succeeded, that no item failed, and that it holds its gates and the thresholds.

    Args:
        result: the result.
        thresholds: bounds by the name of a run evaluation, or of an item evaluation for its mean. A number is the least
            value; others are written as conditions, such as "< 2.5" or "== 1".
        max_failed_items: how many items may fail.

    Raises:
        AssertionError: it does not; the message names what is missed, and the items that failed or scored low.
        ValueError: a threshold is none.
    """
    __tracebackhide__ = True
    bounds = {name: _parsed(threshold) for name, threshold in (thresholds or {}).items()}
    problems = list(_problems(result, bounds, max_failed_items))
    if problems:
        raise AssertionError(_message(result, problems, bounds))


def _parsed(threshold: float | str) -> tuple[str, float]:
    if not isinstance(threshold, str):
        return ">=", float(threshold)
    match = _CONDITION.fullmatch(threshold)
    try:
        bound = float(match["bound"]) if match else math.nan
    except ValueError:
        bound = math.nan
    if match is None or not math.isfinite(bound):
        raise ValueError(
            f'{threshold!r} is no threshold; write a number, or "> 0.8"; also <, <=, >=, == and !='
        )
    return match["comparison"], bound


def _problems(
    result: ExperimentResult, bounds: Mapping[str, tuple[str, float]], max_failed_items: int
) -> Iterator[str]:
    if result.state is not ExperimentState.SUCCEEDED:
        yield f"the experiment ended as {result.state}" + (f": {result.error}" if result.error else "")
    if len(result.failed_items) > max_failed_items:
        yield f"{len(result.failed_items)} items failed; at most {max_failed_items} may"
    for gate in result.experiment.gates:
        if not gate.passed:
            yield f"gate {gate.name}: {gate.message}"
    for name, (comparison, bound) in bounds.items():
        value = value_of(name, result)
        if value is None:
            yield f"{name} {comparison} {bound:g}: there is no value of {name}"
        elif not COMPARISONS[comparison](value, bound):
            yield f"{name} {comparison} {bound:g}: {name} is {value:.6g}"


def _message(result: ExperimentResult, problems: Iterable[str], names: Iterable[str]) -> str:
    lines = ["the experiment does not pass:", *(f"  ✗ {problem}" for problem in problems)]
    blamed = blame(result, names)
    return "\n".join([*lines, "", *blamed] if blamed else lines)
