"""What goes wrong with calls is an error of its own kind; what goes wrong with a run is data."""

from __future__ import annotations

from typing import Any

from evalrpc import WorkerTask
from tests.conformance.stage import Stage, error_of


def run(stage: Stage) -> Any:
    nobody = WorkerTask(function=stage.unique("nobody"))
    request_id = stage.unique("request")
    with stage.client() as client, stage.client("127.0.0.1:1") as lost:
        client.start(name="x", data=[{"input": 1}], task=nobody, request_id=request_id)
        taken = error_of(
            lambda: client.start(name="y", data=[{"input": 1}], task=nobody, request_id=request_id)
        )
        failed = client.run(
            name=stage.unique("run"), data=[{"input": 1}], task=nobody, worker_wait=0.1
        ).result()
        return {
            "missing": error_of(lambda: client.get("exp_none")),
            "wrong": error_of(lambda: client.start(name="", data=[{"input": 1}], task="ftp://example.org")),
            "taken": {"kind": taken["kind"], "reason": taken["reason"]},
            "unreachable": error_of(lambda: lost.get("exp_none")),
            "no_worker": failed.error.reason if failed.error else None,
        }
