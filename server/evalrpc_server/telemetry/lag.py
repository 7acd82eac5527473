"""How long the event loop keeps a callback waiting: what a blocking call on it costs everybody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from opentelemetry.metrics import MeterProvider

_INTERVAL = 0.25
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


@contextlib.asynccontextmanager
async def measured_lag(meters: MeterProvider, *, interval: float = _INTERVAL) -> AsyncIterator[None]:
    """Records, while the block lasts, by how much a sleep of `interval` seconds is late: `evalrpc.event_loop.lag`."""
    histogram = meters.get_meter("evalrpc_server.loop").create_histogram(
        "evalrpc.event_loop.lag",
        "s",
        "By how much the event loop is late.",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )
    loop = asyncio.get_running_loop()

    async def measure() -> None:
        while True:
            begin = loop.time()
            await asyncio.sleep(interval)
            histogram.record(max(0.0, loop.time() - begin - interval))

    task = asyncio.create_task(measure(), name="event loop lag")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
