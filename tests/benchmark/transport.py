"""CPU per call of the ways to send an httpx request, against the fast endpoint in a process of its own.

Run with `python -m tests.benchmark.transport`. Every way does the same: a POST of a small JSON body, the answer read
to its end. The rows are interleaved; a figure is the median of `--rounds` rounds of `time.process_time` per call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import aiohttp
import httpx
import uvloop

from evalrpc_server.outbound.http1.transport import Http1Transport
from tests.benchmark.services import started
from tests.benchmark.table import print_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call = Callable[[], Awaitable[bytes]]

IN_FLIGHT = (1, 50, 500)
BODY = json.dumps(
    {
        "input": {"index": 3, "answer": "Answer 3", "latency_ms": 0},
        "metadata": None,
        "item_id": "3",
        "trial": 1,
        "experiment": {"id": "0190a6c5", "name": "benchmark", "run_name": "benchmark - 1"},
    }
).encode()
HEADERS = {
    "content-type": "application/json",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
SECONDS = 30.0
STEPS = {"timeout": {"connect": SECONDS, "read": SECONDS}}


async def ways(url: str, stack: AsyncExitStack) -> dict[str, Call]:
    """The ways to make a call, by the name of their row."""
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(sock_connect=SECONDS, sock_read=SECONDS),
        )
    )
    httpx_client = await stack.enter_async_context(httpx.AsyncClient(limits=unlimited, timeout=SECONDS))
    transport = Http1Transport()
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, timeout=SECONDS))
    target, headers = httpx.URL(url), httpx.Headers(HEADERS)

    async def bare() -> bytes:
        async with session.post(url, data=BODY, headers=HEADERS) as response:
            return await response.read()

    async def plain_httpx() -> bytes:
        return (await httpx_client.post(url, content=BODY, headers=HEADERS)).content

    async def client_post() -> bytes:
        return (await client.post(url, content=BODY, headers=HEADERS)).content

    async def client_send() -> bytes:
        request = httpx.Request("POST", target, headers=headers, content=BODY, extensions=STEPS)
        return (await client.send(request)).content

    async def exchange() -> bytes:
        answer = await transport.exchange("POST", target, headers.raw, BODY, connect_seconds=SECONDS)
        try:
            return b"".join([chunk async for chunk in answer.stream])
        finally:
            await answer.stream.aclose()

    async def direct() -> bytes:
        request = httpx.Request(
            "POST", target, headers=headers, stream=httpx.ByteStream(BODY), extensions=STEPS
        )
        response = await transport.handle_async_request(request)
        try:
            return await response.aread()
        finally:
            await response.aclose()

    calls: dict[str, Call] = {"bare aiohttp": bare, "httpx, its own transport": plain_httpx}
    try:
        from httpx_aiohttp import AiohttpTransport as PublishedTransport
    except ImportError:
        pass
    else:
        published = await stack.enter_async_context(
            httpx.AsyncClient(transport=PublishedTransport(limits=unlimited), timeout=SECONDS)
        )

        async def published_post() -> bytes:
            return (await published.post(url, content=BODY, headers=HEADERS)).content

        calls["httpx-aiohttp, client.post"] = published_post
    calls["Http1Transport, client.post"] = client_post
    calls["Http1Transport, client.send of a prebuilt request"] = client_send
    calls["Http1Transport, called directly"] = direct
    calls["Http1Transport, as the server calls it"] = exchange
    return calls


async def drive(call: Call, calls: int, in_flight: int) -> float:
    """Makes `calls` calls, `in_flight` at a time, and returns the CPU milliseconds per call of this process."""
    left = iter(range(calls))

    async def slot() -> None:
        for _ in left:
            await call()

    start = time.process_time()
    await asyncio.gather(*(slot() for _ in range(in_flight)))
    return (time.process_time() - start) * 1000 / calls


async def measure(url: str, calls: int, rounds: int) -> list[list[str]]:
    """The table's rows."""
    figures: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        table = await ways(url, stack)
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                for name, call in table.items():
                    await drive(call, in_flight, in_flight)
                    figures.setdefault((name, in_flight), []).append(await drive(call, calls, in_flight))
    return [[name, *(f"{statistics.median(figures[name, n]):.3f}" for n in IN_FLIGHT)] for name in table]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="calls per figure and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    arguments = parser.parse_args()
    run = uvloop.run if arguments.loop == "uvloop" else asyncio.run
    with started("tests.benchmark.endpoint") as endpoint:
        rows = run(measure(f"{endpoint.url}/task", arguments.calls, arguments.rounds))
    print_table(["CPU ms per call, in flight:", *map(str, IN_FLIGHT)], rows)


if __name__ == "__main__":
    main()
