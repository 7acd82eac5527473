"""A function that fails, one that succeeds when it is called again, and one that never does."""

from __future__ import annotations

from typing import Any

from evalrpc import RetryableError, RetryPolicy, WorkerTask
from tests.conformance.stage import Stage, items


def run(stage: Stage) -> Any:
    worker = stage.worker()

    @worker.task(name=stage.unique("task"))
    def task(*, item: Any, attempt: int) -> str:
        if item.input == "broken":
            raise ValueError("no such thing")
        if item.input == "hopeless" or attempt < 3:
            raise RetryableError("not yet")
        return "at last"

    with worker, stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"id": each, "input": each} for each in ("broken", "flaky", "hopeless")],
            task=WorkerTask(function=stage.unique("task")),
            retry=RetryPolicy(max_attempts=3, initial_backoff=0.01),
        ).result()
    error = result.item_results[0].error
    return {
        "items": items(result),
        "says_why": error is not None and "no such thing" in error.message,
        "retried": result.experiment.progress.retried,
    }
