"""Evaluators under names of the caller's: versions, their use, their end."""

from __future__ import annotations

from typing import Any

from evalrpc import builtin, registered
from tests.conformance.stage import Stage, error_of


def run(stage: Stage) -> Any:
    name = stage.unique("judge")
    with stage.client() as client:
        versions = [
            client.register_evaluator(builtin("contains", name=name, ignore_case=ignore_case)).version
            for ignore_case in (False, False, True)
        ]
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": "PARIS", "expected_output": "paris"}],
            task=lambda *, item: item.input,
            evaluators=[registered(name, name="accuracy")],
        ).result()
        (said,) = result.item_results[0].evaluations
        listed = [each.version for each in client.list_evaluators(name=name)]
        client.delete_evaluator(name)
        gone = error_of(lambda: client.get_evaluator(name))
    return {
        "versions": versions,
        "evaluations": [
            {"name": said.name, "value": said.value, "version": int(said.evaluator.partition("@")[2])}
        ],
        "listed": listed,
        "gone": gone["kind"],
    }
