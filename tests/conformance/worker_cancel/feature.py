"""Calls that take too long are cancelled: the functions learn of it, and the worker goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from evalrpc import WorkerTask
from tests.conformance.stage import SECONDS, Stage


def run(stage: Stage) -> Any:
    told = threading.Semaphore(0)
    worker = stage.worker(max_in_flight=2)

    @worker.task(name=stage.unique("task"))
    async def task(*, item: Any) -> Any:
        if item.input != "endless":
            return item.input
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.release()
            raise

    with worker, stage.client() as client:
        task_of_worker = WorkerTask(function=stage.unique("task"))
        result = client.run(
            name=stage.unique("run"),
            data=[{"id": "a", "input": "endless"}, {"id": "b", "input": "endless"}],
            task=task_of_worker,
            task_timeout=0.3,
            retry=1,
        ).result()
        count = sum(told.acquire(timeout=SECONDS) for _ in range(2))
        after = client.run(name=stage.unique("after"), data=[{"input": 5}], task=task_of_worker).result()
    return {
        "errors": [each.error.reason for each in result.item_results if each.error],
        "told": count,
        "goes_on": after.item_results[0].output,
    }
