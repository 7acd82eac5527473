"""Documents of exactly the limit travel both ways; one byte more is the item's error, or refused."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage, error_of

LIMIT = 1024 * 1024
LARGEST = "x" * (LIMIT - 2)


def task(*, item: Any) -> str:
    return LARGEST + "x" if item.input == "more" else item.input


def size(*, output: str, **_: Any) -> int:
    return len(output)


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": LARGEST}, {"input": "more"}],
            task=task,
            evaluators=[size],
        ).result()
        refused = error_of(
            client.run(name=stage.unique("more"), data=[{"input": LARGEST + "x"}], task=task).result
        )
    largest, above = result.item_results
    assert above.error
    return {
        "bytes": [len(largest.item.input_json or ""), len(largest.output_json or "")],
        "judged": largest.evaluations[0].value,
        "above": above.error.reason,
        "refused": {"kind": refused["kind"], "violations": refused["violations"]},
    }
