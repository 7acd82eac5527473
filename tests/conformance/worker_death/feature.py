"""A worker with calls in flight is gone without a word; when its lease is over, another one gets them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from evalrpc import Worker, WorkerTask
from tests.conformance.stage import Gate, Stage


def run(stage: Stage) -> Any:
    gate, by = Gate(), Counter[str]()
    gone, there = stage.worker(over_wire=True), stage.worker()

    def host(worker: Worker, name: str) -> None:
        @worker.task(name=stage.unique("held"))
        def held(*, item: Any) -> Any:
            by[name] += 1
            gate.pass_through()
            return item.input

    host(gone, "gone")
    host(there, "there")
    gone.start()
    gone.wait_until_connected()
    with stage.client() as client:
        started = client.start(
            name=stage.unique("run"),
            data=[{"input": 0}, {"input": 1}],
            task=WorkerTask(function=stage.unique("held")),
        )
        gate.wait_for(2)
        stage.sever()
        with there:
            gate.wait_for(2)
            gate.open()
            result = client.watch(started.id).result()
    gone.stop()
    stage.mend()
    return {
        "outputs": [each.output for each in result.item_results],
        "attempts": [each.attempts for each in result.item_results],
        "by": by,
        "retried": result.experiment.progress.retried,
    }
