"""A null output is an output, an expected null is something to expect, and neither is nothing."""

from __future__ import annotations

from typing import Any

from evalrpc import RawJson, builtin
from tests.conformance.stage import Stage, evaluations


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": None, "expected_output": RawJson("null")}, {"input": 1}],
            task=lambda *, item: None,
            evaluators=[builtin("exact_match", name="right")],
        ).result()
    return {
        "outputs": [each.output_json for each in result.item_results],
        "errors": [each.error for each in result.item_results],
        "inputs": [each.item.input_json for each in result.item_results],
        "expected_outputs": [each.item.expected_output_json for each in result.item_results],
        "evaluations": [evaluations(each.evaluations) for each in result.item_results],
    }
