"""A function learns the W3C trace context that its own spans join."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage


def task(*, item: Any, trace_context: dict[str, str]) -> str:
    return trace_context["traceparent"]


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(name=stage.unique("run"), data=[{"input": 1}], task=task).result()
    (found,) = result.item_results
    version, trace, *_ = found.output.split("-")
    return {"version": version, "same_trace": trace == found.trace_id}
