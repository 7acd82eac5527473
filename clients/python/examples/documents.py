"""Documents are JSON and stay exact: every digit, every byte, null apart from nothing."""

from __future__ import annotations

from typing import Any

from evalrpc import Client, RawJson


def same(*, item: Any) -> Any:
    """Returns its input."""
    return item.input


with Client() as client:
    result = client.run_experiment(
        name="Exact",
        data=[
            {"input": 2**53 + 1},
            {"input": RawJson('{"price": 1.10}'), "expected_output": RawJson("null")},
            {"input": "Zürich 😀"},
        ],
        task=same,
    )
for each in result.item_results:
    print(each.item.input_json, each.output, each.item.expected_output_json)
