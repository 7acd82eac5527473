"""A run is cancelled; its functions learn of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from evalrpc import WorkerTask
from tests.conformance.stage import SECONDS, Gate, Stage


def run(stage: Stage) -> Any:
    gate, told = Gate(), threading.Semaphore(0)
    worker = stage.worker()

    @worker.task(name=stage.unique("held"))
    async def held(*, item: Any) -> None:
        gate.come()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.release()
            raise

    with worker, stage.client() as client:
        started = client.start(
            name=stage.unique("run"),
            data=[{"input": 0}, {"input": 1}],
            task=WorkerTask(function=stage.unique("held")),
        )
        gate.wait_for(2)
        client.cancel(started.id)
        result = client.watch(started.id).result()
        count = sum(told.acquire(timeout=SECONDS) for _ in range(2))
        twice = client.cancel(started.id).state
    return {
        "state": result.state,
        "errors": [each.error.reason for each in result.item_results if each.error],
        "told": count,
        "twice": twice,
    }
