"""Which items a result that is not good enough is owed to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evalrpc._model.evaluation import Evaluation
from evalrpc._model.item_result import ItemResult
from evalrpc._model.report import shown, verdict
from evalrpc._model.result import ExperimentResult

_MOST_SHOWN = 10


def blame(result: ExperimentResult, names: Iterable[str]) -> list[str]:
    """Returns lines that show the items that failed or scored low; none if no item did.

    An item scored low if one of its evaluations failed, is false or 0, or lies below the mean of its name. Those of the
    given names count, or all where an item has none of them: a threshold may be on a run evaluation.
    """
    blamed = _blamed(result, frozenset(names))
    lines = [f"Items that failed or scored low ({len(blamed)}):"] if blamed else []
    for each in blamed[:_MOST_SHOWN]:
        lines += _item(each)
    if len(blamed) > _MOST_SHOWN:
        lines.append(f"  and {len(blamed) - _MOST_SHOWN} more")
    return lines


def _blamed(result: ExperimentResult, names: frozenset[str]) -> list[ItemResult]:
    means = {summary.name: summary.mean for summary in result.experiment.summaries}

    def is_low(evaluation: Evaluation) -> bool:
        value, mean = evaluation.value, means.get(evaluation.name)
        if value is None or isinstance(value, str):
            return evaluation.error is not None
        return not value or (not isinstance(value, bool) and mean is not None and value < mean)

    def is_to_blame(each: ItemResult) -> bool:
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
