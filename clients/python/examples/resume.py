"""Start here, watch there, from any event on; list, read and cancel what exists."""

from __future__ import annotations

from typing import Any

from evalrpc import Client, Worker, WorkerTask

worker = Worker()


@worker.task
def double(*, item: Any) -> int:
    """Doubles a number."""
    return int(item.input) * 2


with worker, Client() as client:
    started = client.start(
        name="Overnight", data=[{"input": 1}, {"input": 2}], task=WorkerTask(function="double")
    )
    with client.watch(started.id) as run:
        seen = next(iter(run)).sequence  # then the stream is lost; the experiment is not
    rest = client.watch(started.id, after_sequence=seen)
    print(next(iter(rest)).sequence == seen + 1, rest.result().state)
    print([each.output for each in client.list_results(started.id)])
    print([each.name for each in client.list(name="Overnight", states=["SUCCEEDED"])])
    print(client.cancel(started.id).state)  # without effect on one that has ended
