"""An experiment that is started and left alone, joined by its request id, looked at and listed."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask
from tests.conformance.stage import Stage


def run(stage: Stage) -> Any:
    name, function, request_id = stage.unique("run"), stage.unique("task"), stage.unique("request")
    worker = stage.worker()

    @worker.task(name=function)
    def task(*, item: Any) -> Any:
        if item.input == 2:
            raise ValueError("not this one")
        return item.input

    data = [{"id": "one", "input": 1}, {"id": "two", "input": 2}, {"id": "three", "input": 3}]
    with worker, stage.client() as client:
        started, again = (
            client.start(name=name, data=data, task=WorkerTask(function=function), request_id=request_id)
            for _ in range(2)
        )
        for _ in client.watch(started.id):
            pass
        return {
            "started": bool(started.id),
            "joined": again.id == started.id,
            "state": client.get(started.id).state,
            "listed": [each.state for each in client.list(name=name)],
            "failed": [each.item.id for each in client.list_results(started.id, failed_only=True)],
            "by_completion": len(list(client.list_results(started.id, order="completion", page_size=1))),
            "items": [each.item.id for each in client.result(started.id).item_results],
        }
