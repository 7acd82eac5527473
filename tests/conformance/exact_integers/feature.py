"""Integers that no double holds reach the task, the evaluator and the caller to the last digit."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage

NUMBERS = [2**53 + 1, -(2**63), 123456789012345678901234567890]


def next_one(*, item: Any) -> int:
    return int(item.input + 1)


def right(*, input: int, output: int, expected_output: int, **_: Any) -> bool:
    return output == expected_output == input + 1


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": number, "expected_output": number + 1} for number in NUMBERS],
            task=next_one,
            evaluators=[right],
        ).result()
    return {
        "inputs": [each.item.input_json for each in result.item_results],
        "outputs": [each.output_json for each in result.item_results],
        "right": [each.evaluations[0].value for each in result.item_results],
    }
