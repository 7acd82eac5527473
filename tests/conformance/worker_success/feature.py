"""A worker hosts a task, an evaluator and a run evaluator; specs refer to them by name."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask, worker_evaluator
from tests.conformance.stage import Stage, evaluations


def run(stage: Stage) -> Any:
    worker = stage.worker()

    @worker.task(name=stage.unique("double"))
    def double(*, item: Any) -> int:
        return int(item.input * 2)

    @worker.evaluator(name=stage.unique("even"))
    def even(*, output: int, **_: Any) -> bool:
        return output % 2 == 0

    @worker.run_evaluator(name=stage.unique("sum"))
    def sum_of_all(*, item_results: list[Any], **_: Any) -> int:
        return sum(each.output for each in item_results)

    with worker, stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": 1}, {"input": 2}, {"input": 3}],
            task=WorkerTask(function=stage.unique("double")),
            evaluators=[worker_evaluator(stage.unique("even"), name="even")],
            run_evaluators=[worker_evaluator(stage.unique("sum"), name="sum")],
        ).result()
        (listed,) = client.list_workers(function=stage.unique("double"))
        completed = worker.status.completed
    return {
        "outputs": [each.output for each in result.item_results],
        "evaluations": [evaluations(each.evaluations) for each in result.item_results],
        "run_evaluations": evaluations(result.run_evaluations),
        "listed": [
            listed.state,
            listed.max_in_flight,
            sorted(each.name.rpartition("-")[2] for each in listed.functions),
        ],
        "completed": completed,
    }
