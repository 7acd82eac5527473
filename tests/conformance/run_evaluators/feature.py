"""Functions that see all results of a run, more than fit into a message; one of them fails."""

from __future__ import annotations

from typing import Any

from evalrpc import Evaluation
from tests.conformance.stage import Stage, evaluations


def number(*, item: Any) -> int:
    if item.input == 7:
        raise ValueError("not this one")
    return int(item.input)


def counts(*, item_results: list[Any], **_: Any) -> list[Evaluation]:
    failed = sum(1 for each in item_results if each.error)
    return [Evaluation(name="count", value=len(item_results)), Evaluation(name="failed", value=failed)]


def broken(*, item_results: list[Any], **_: Any) -> float:
    raise ValueError("cannot judge")


async def sum_of_all(*, item_results: list[Any], **_: Any) -> Evaluation:
    return Evaluation(name="sum", value=sum(each.output or 0 for each in item_results))


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": number} for number in range(450)],
            task=number,
            run_evaluators=[counts, broken, sum_of_all],
        ).result()
    return evaluations(result.run_evaluations)
