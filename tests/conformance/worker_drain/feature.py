"""A worker that is asked to end finishes what it has; another one does the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any

from evalrpc import Worker, WorkerTask
from tests.conformance.stage import Gate, Stage, background


def run(stage: Stage) -> Any:
    gate, by = Gate(), Counter[str]()
    leaving, staying = stage.worker(), stage.worker()

    def host(worker: Worker, name: str) -> None:
        @worker.task(name=stage.unique("held"))
        def held(*, item: Any) -> Any:
            by[name] += 1
            gate.pass_through()
            return item.input

    host(leaving, "leaving")
    host(staying, "staying")
    leaving.start()
    leaving.wait_until_connected()
    with stage.client() as client:
        started = client.start(
            name=stage.unique("run"),
            data=[{"input": number} for number in range(3)],
            task=WorkerTask(function=stage.unique("held")),
            max_concurrency=1,
        )
        gate.wait_for(1)
        with background(leaving.close), staying:
            gate.open()
            result = client.watch(started.id).result()
    return {
        "outputs": [each.output for each in result.item_results],
        "attempts": [each.attempts for each in result.item_results],
        "by": by,
    }
