"""Evaluators that the server brings: used, listed, and refused where there is none of the name."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask, builtin
from tests.conformance.stage import Stage, error_of, evaluations


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": 1, "expected_output": "paris"}],
            task=lambda *, item: "It is Paris.",
            evaluators=[
                builtin("contains", ignore_case=True),
                builtin("exact_match", name="exact"),
                builtin("length"),
                builtin("regex", pattern="^It"),
            ],
            run_evaluators=[builtin("mean", evaluation="contains")],
        ).result()
        listed = [each for each in client.list_builtin_evaluators(level="item") if each.name == "contains"]
        unknown = error_of(
            lambda: client.start(
                name="x", data=[{"input": 1}], task=WorkerTask(function="f"), evaluators=[builtin("nothing")]
            )
        )
    return {
        "evaluations": evaluations(result.item_results[0].evaluations),
        "run_evaluations": evaluations(result.run_evaluations),
        "listed": [listed[0].level, "ignore_case" in listed[0].params_schema["properties"]],
        "unknown": unknown["violations"],
    }
