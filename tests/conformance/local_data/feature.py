"""A local function over local data, judged by builtins."""

from __future__ import annotations

from typing import Any

from evalrpc import builtin
from tests.conformance.stage import Stage, evaluations, items


def answer(*, item: Any) -> str:
    match item.input:
        case "France":
            return "Paris"
        case {"country": "Germany"}:
            return "Bonn"
    raise ValueError("there is no such country")


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("capitals"),
            run_name="the first",
            metadata={"model": "m", "temperature": 0.5},
            data=[
                {
                    "id": "fr",
                    "input": "France",
                    "expected_output": "Paris",
                    "metadata": {"continent": "Europe"},
                },
                {"id": "de", "input": {"country": "Germany"}, "expected_output": "Berlin"},
                {"id": "xx", "input": "Atlantis"},
            ],
            task=answer,
            evaluators=[builtin("exact_match", name="accuracy")],
            run_evaluators=[builtin("mean", name="avg_accuracy", evaluation="accuracy")],
        ).result()
    progress = result.experiment.progress
    return {
        "state": result.state,
        "run_name": result.run_name,
        "metadata": result.experiment.metadata,
        "progress": [progress.total, progress.completed, progress.failed],
        "inputs": [each.item.input for each in result.item_results],
        "expected_outputs": [each.item.expected_output for each in result.item_results],
        "items": items(result),
        "run_evaluations": evaluations(result.run_evaluations),
        "mean": result.experiment.summaries[0].mean,
    }
