"""A worker whose connection is cut comes back, and its calls go on: none is made twice."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask
from tests.conformance.stage import Gate, Stage


def run(stage: Stage) -> Any:
    gate, calls = Gate(), list[int]()
    worker = stage.worker(over_wire=True)

    @worker.task(name=stage.unique("held"))
    def held(*, item: Any) -> Any:
        calls.append(item.input)
        gate.pass_through()
        return item.input

    with worker, stage.client() as client:
        started = client.start(
            name=stage.unique("run"),
            data=[{"input": number} for number in range(4)],
            task=WorkerTask(function=stage.unique("held")),
        )
        gate.wait_for(4)
        stage.cut()
        gate.open()
        result = client.watch(started.id).result()
    return {
        "outputs": [each.output for each in result.item_results],
        "attempts": [each.attempts for each in result.item_results],
        "calls": len(calls),
    }
