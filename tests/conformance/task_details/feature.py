"""A task that has more to say than its output; and one that may see the expected output."""

from __future__ import annotations

from typing import Any

from evalrpc import Context, Evaluation, TaskOutput, Usage, WorkerTask
from tests.conformance.stage import Stage


def task(*, item: Any) -> TaskOutput:
    return TaskOutput(
        output="Paris",
        contexts=[Context(text="Paris is a city.", id="doc-1", score=0.5), "France is a country."],
        usage=Usage(input_tokens=10, output_tokens=3, cost_usd=0.25, model="m"),
        metadata={"seed": 7},
    )


def seen(*, contexts: list[Context], usage: Usage, output: Any, **_: Any) -> Evaluation:
    found = [len(contexts), contexts[0].text, usage.input_tokens]
    return Evaluation(name="seen", value=True, metadata={"seen": found})


def run(stage: Stage) -> Any:
    worker = stage.worker()

    @worker.task(name=stage.unique("shown"))
    def shown(*, item: Any) -> Any:
        return item.expected_output

    with worker, stage.client() as client:
        data = [{"input": "France", "expected_output": "Paris"}]
        result = client.run(name=stage.unique("run"), data=data, task=task, evaluators=[seen]).result()
        outputs = [
            client.run(
                name=stage.unique("shown"),
                data=data,
                task=WorkerTask(function=stage.unique("shown"), include_expected_output=include),
            )
            .result()
            .item_results[0]
            .output
            for include in (False, True)
        ]
    (found,) = result.item_results
    usage = found.usage
    assert usage is not None
    return {
        "output": found.output,
        "contexts": [[each.text, each.id, each.score] for each in found.contexts],
        "usage": [usage.input_tokens, usage.output_tokens, usage.cost_usd, usage.model],
        "metadata": found.output_metadata,
        "seen_by_evaluator": found.evaluations[0].metadata["seen"],
        "expected_output_shown": outputs,
    }
