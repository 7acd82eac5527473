"""Assertions on experiments, which show the items that are to blame; for pytest and every other test framework."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from evalrpc._model.conditions import COMPARISONS, value_of
from evalrpc._model.evaluation import Evaluation
from evalrpc._model.experiment import ExperimentState
from evalrpc._model.item_result import ItemResult
from evalrpc._model.report import shown, verdict
from evalrpc._model.result import ExperimentResult

__all__ = ["assert_passes"]

_MOST_SHOWN = 10
_CONDITION = re.compile(r"\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<bound>\S+)\s*")


def assert_passes(
    result: ExperimentResult,
    thresholds: Mapping[str, float | str] | None = None,
    *,
    max_failed_items: int = 0,
) -> None:
    """Asserts that an experiment succeeded, that no item failed, and that it holds the thresholds.

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
    for name, (comparison, bound) in bounds.items():
        value = value_of(name, result)
        if value is None:
            yield f"{name} {comparison} {bound:g}: there is no value of {name}"
        elif not COMPARISONS[comparison](value, bound):
            yield f"{name} {comparison} {bound:g}: {name} is {value:.6g}"


def _message(result: ExperimentResult, problems: Iterable[str], names: Iterable[str]) -> str:
    lines = ["the experiment does not pass:", *(f"  ✗ {problem}" for problem in problems)]
    blamed = _blamed(result, frozenset(names))
    if blamed:
        lines += ["", f"Items that failed or scored low ({len(blamed)}):"]
        for each in blamed[:_MOST_SHOWN]:
            lines += _item(each)
        if len(blamed) > _MOST_SHOWN:
            lines.append(f"  and {len(blamed) - _MOST_SHOWN} more")
    return "\n".join(lines)


def _blamed(result: ExperimentResult, names: frozenset[str]) -> list[ItemResult]:
    """Returns the results that failed, or with an evaluation that did, is false or 0, or lies below its mean."""
    means = {summary.name: summary.mean for summary in result.experiment.summaries}

    def is_low(evaluation: Evaluation) -> bool:
        value, mean = evaluation.value, means.get(evaluation.name)
        if value is None or isinstance(value, str):
            return evaluation.error is not None
        return not value or (not isinstance(value, bool) and mean is not None and value < mean)

    def is_to_blame(each: ItemResult) -> bool:
        # Thresholds may name run evaluations alone; then every item evaluation tells something.
        named = [evaluation for evaluation in each.evaluations if evaluation.name in names]
        return each.error is not None or any(is_low(evaluation) for evaluation in named or each.evaluations)

    return [each for each in result.item_results if is_to_blame(each)]


def _item(result: ItemResult) -> Iterator[str]:
    item = result.item
    yield f"  {item.index + 1}. {item.id}"
    yield f"     input:    {shown(item.input)}"
    if item.expected_output_json is not None:
        yield f"     expected: {shown(item.expected_output)}"
    if result.error is None:
        yield f"     output:   {shown(result.output)}"
    else:
        yield f"     error:    {result.error}"
    for evaluation in result.evaluations:
        comment = f" ({evaluation.comment})" if evaluation.comment else ""
        yield f"     {evaluation.name}: {verdict(evaluation)}{comment}"
