"""An ended run is looked at again: its outputs are judged by other evaluators, and what failed is repeated."""

from __future__ import annotations

from typing import Any

from evalrpc import ExperimentResult, WorkerTask, builtin
from tests.conformance.stage import Stage, error_of, evaluations


def results(result: ExperimentResult) -> list[list[Any]]:
    return [
        [each.item.id, each.output, each.error.reason if each.error else None] for each in result.item_results
    ]


def run(stage: Stage) -> Any:
    calls: list[str] = []
    worker = stage.worker()

    @worker.task(name=stage.unique("task"))
    def task(*, item: Any) -> str:
        calls.append(item.input)
        if item.input == "a" and calls.count("a") == 1:
            raise ValueError("not this time")
        return str(item.input).upper()

    with worker, stage.client() as client:
        first = client.run(
            name=stage.unique("run"),
            data=[{"id": each, "input": each} for each in ("a", "b")],
            task=WorkerTask(function=stage.unique("task")),
        ).result()
        started = client.evaluate(
            first.experiment_id,
            evaluators=[builtin("length", name="size")],
            run_evaluators=[builtin("mean", name="mean", evaluation="size")],
            request_id=stage.unique("evaluate"),
        )
        again = client.evaluate(
            first.experiment_id,
            evaluators=[builtin("length", name="size")],
            run_evaluators=[builtin("mean", name="mean", evaluation="size")],
            request_id=stage.unique("evaluate"),
        )
        evaluated = client.watch(started.id).result()
        after_evaluating = len(calls)
        retried = client.watch(client.retry(first.experiment_id, scope="tasks").id).result()
        nothing_left = error_of(lambda: client.retry(retried.experiment_id))
    assert evaluated.experiment.origin
    assert retried.experiment.origin
    return {
        "first": results(first),
        "evaluated": {
            "kind": evaluated.experiment.origin.kind,
            "calls": after_evaluating,
            "results": results(evaluated),
            "evaluations": evaluations(evaluated.item_results[1].evaluations),
            "run_evaluations": evaluations(evaluated.run_evaluations),
        },
        "retried": {
            "kind": retried.experiment.origin.kind,
            "calls": len(calls),
            "results": results(retried),
        },
        "nothing_left": {"kind": nothing_left["kind"], "reason": nothing_left["reason"]},
        "joined": again.id == started.id,
    }
