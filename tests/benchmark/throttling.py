"""How much of a throttled endpoint's rate experiments get out of it, and whether anything fails on the way.

Run with `python -m tests.benchmark.throttling`. The endpoint takes `--rate` calls a second, in windows of the clock's
seconds, and answers the others with 429. It is called by one experiment of `--items` items, and by two of half as many at
once. The figures are by the endpoint's own clock: calls answered with 200 per second, from the first call to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from evalrpc import AsyncClient, HttpTask
from tests.benchmark.table import print_table
from tests.servers import serving


@dataclass
class Throttled:
    """An endpoint that takes so many calls in each second.

    Attributes:
        rate: calls.
        latency: seconds that a call takes.
        tells: whether refusals carry Retry-After.
        accepted: when calls were accepted, in seconds; `refused` how many were not.
    """

    rate: int
    latency: float
    tells: bool
    accepted: list[float] = field(default_factory=list)
    refused: int = 0
    _window: int = 0
    _count: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        now = time.monotonic()
        if int(now) != self._window:
            self._window, self._count = int(now), 0
        self._count += 1
        if self._count > self.rate:
            self.refused += 1
            return web.Response(status=429, headers={"Retry-After": "1"} if self.tells else {})
        self.accepted.append(now)
        await asyncio.sleep(self.latency)
        return web.json_response("ok")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serves at a URL."""
        app = web.Application()
        app.router.add_post("/", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert runner.addresses
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


async def measure(address: str, endpoint: Throttled, counts: list[int]) -> dict[str, float | int]:
    """Runs experiments of so many items at once against a fresh endpoint."""
    async with endpoint.serving() as url, AsyncClient(address) as client:

        async def experiment(count: int) -> tuple[int, int]:
            data = await client.upload({"input": number} for number in range(count))
            run = await client.start(name="throttled", data=data, task=HttpTask(url=url))
            while (run := await client.get(run.id)).end_time is None:  # noqa: ASYNC110  watched from afar
                await asyncio.sleep(0.2)
            assert run.progress.completed == count, run
            return run.progress.failed, run.progress.retried

        outcomes = await asyncio.gather(*(experiment(count) for count in counts))
    seconds = endpoint.accepted[-1] - endpoint.accepted[0]
    rate = len(endpoint.accepted) / seconds
    return {
        "experiments": len(counts),
        "items": sum(counts),
        "failed": sum(failed for failed, _ in outcomes),
        "retried": sum(retried for _, retried in outcomes),
        "refused": endpoint.refused,
        "seconds": round(seconds, 1),
        "calls/s": round(rate, 2),
        "of the rate": round(rate / endpoint.rate, 3),
    }


async def main(arguments: argparse.Namespace) -> None:
    """Measures all cases and prints them."""
    rows = []
    half = arguments.items // 2
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        for tells in (True, False):
            for counts in ([arguments.items], [half, half]):
                endpoint = Throttled(arguments.rate, arguments.latency, tells)
                figures = await measure(server.grpc, endpoint, counts)
                rows.append({"Retry-After": "yes" if tells else "no", **figures})
    print_table(list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
    print(json.dumps(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=20, help="calls that the endpoint takes a second")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that a call takes")
    asyncio.run(main(parser.parse_args()))
