"""A worker in Python: a function that notes its calls and holds some of them, for `survival.py`, and one that does nothing."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from evalrpc import Worker

FUNCTION = "survive"
MAX_IN_FLIGHT = 64
HELD = 20  # every so many-th item is held
POLL_SECONDS = 0.02


def host(worker_id: str, directory: Path) -> None:
    """Hosts the functions until the process is asked to end: `survive`, and `nothing-WORKER_ID`.

    A call of the first appends a line to DIRECTORY/WORKER_ID: the input, and the time in milliseconds. Held calls last until
    DIRECTORY/open exists.
    """
    worker = Worker(
        json.loads(os.environ["CONFORMANCE"])["address"], worker_id=worker_id, max_in_flight=MAX_IN_FLIGHT
    )
    path, gate = directory / worker_id, directory / "open"

    @worker.task(name=FUNCTION)
    async def survive(*, item: Any) -> int:
        with path.open("a") as file:
            file.write(f"{item.input} {time.time_ns() // 1_000_000}\n")
        await asyncio.sleep(0.002)
        while item.input % HELD == HELD - 1 and not gate.exists():  # noqa: ASYNC110  another process opens it
            await asyncio.sleep(POLL_SECONDS)
        return int(item.input**2)

    @worker.task(name=f"nothing-{worker_id}")
    async def nothing(*, item: Any) -> None:
        return None

    threading.Thread(target=_tell, args=(worker,), daemon=True).start()
    worker.run()


def _tell(worker: Worker) -> None:
    """Says once that the worker is connected."""
    while True:
        with suppress(RuntimeError):  # it is about to start
            worker.wait_until_connected()
            print("connected", flush=True)
            return
        time.sleep(POLL_SECONDS)
