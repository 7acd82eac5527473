"""A worker as its own process, for the tests of the service: what it hosts, and what it was called with.

`python -m tests.service.hosting ADDRESS WORKER_ID DIRECTORY MAX_IN_FLIGHT` logs that it is connected, appends a line
for each call that begins to DIRECTORY/WORKER_ID, and holds some calls until DIRECTORY/open exists.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from evalrpc import Evaluation, ItemResult, Worker

POLL_SECONDS = 0.02


class Calls:
    """What the functions were called with, and the gate that holds some of them."""

    def __init__(self, directory: Path, worker_id: str) -> None:
        self._path = directory / worker_id
        self._gate = directory / "open"
        self._lock = threading.Lock()

    def note(self, what: object) -> None:
        with self._lock, self._path.open("a") as file:
            file.write(f"{what}\n")

    @property
    def held(self) -> bool:
        return not self._gate.exists()


def host_tasks(worker: Worker, calls: Calls) -> None:
    """Hosts the tasks."""

    @worker.task
    def echo(*, item: Any, **_: Any) -> Any:
        calls.note(item.input)
        return item.input

    @worker.task
    async def held(*, item: Any) -> Any:
        calls.note(item.input)
        while calls.held:  # noqa: ASYNC110  another process opens the gate
            await asyncio.sleep(POLL_SECONDS)
        return item.input

    @worker.task
    def blocked(*, item: Any) -> Any:
        calls.note(item.input)
        while calls.held:
            time.sleep(POLL_SECONDS)
        return item.input

    @worker.task
    async def blocking_the_loop(*, item: Any) -> Any:
        time.sleep(float(item.input))  # noqa: ASYNC251  as careless users do
        return item.input

    @worker.task
    def broken(*, item: Any) -> Any:
        raise ValueError(f"cannot answer {item.input}")

    @worker.task
    def large(*, item: Any) -> str:
        return "x" * int(item.input)

    @worker.task
    async def traced(*, trace_context: dict[str, str], **_: Any) -> str:
        return trace_context["traceparent"]


def host_evaluators(worker: Worker, calls: Calls) -> None:
    """Hosts the evaluators."""

    @worker.evaluator
    def equal(*, output: Any, expected_output: Any, **_: Any) -> Evaluation:
        calls.note(f"equal {output}")
        return Evaluation(name="equal", value=output == expected_output, comment="compared")

    @worker.run_evaluator
    def share(*, item_results: list[ItemResult], **_: Any) -> float:
        right = [each.value for result in item_results for each in result.evaluations if each.name == "equal"]
        return sum(map(bool, right)) / len(item_results)


def main(address: str, worker_id: str, directory: Path, max_in_flight: int) -> None:
    """Hosts the functions until the process is asked to end."""
    logging.basicConfig(level=logging.INFO)
    worker = Worker(address, worker_id=worker_id, max_in_flight=max_in_flight)
    calls = Calls(directory, worker_id)
    host_tasks(worker, calls)
    host_evaluators(worker, calls)
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
