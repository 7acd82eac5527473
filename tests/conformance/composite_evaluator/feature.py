"""A function that sees an item's evaluations and adds its own."""

from __future__ import annotations

from typing import Any

from evalrpc import builtin
from tests.conformance.stage import Stage, evaluations


def half(*, output: str, **_: Any) -> float:
    return len(output) / 2


def overall(*, evaluations: list[Any], **_: Any) -> float:
    return float(sum(each.value for each in evaluations))


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": "abc"}, {"input": "abcde"}],
            task=lambda *, item: item.input,
            evaluators=[builtin("length", name="length"), half],
            composite_evaluator=overall,
        ).result()
    return [evaluations(each.evaluations) for each in result.item_results]
