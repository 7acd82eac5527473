"""Results for a run evaluator, in chunks of which each waits until the one before was taken in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.workers.leases import Lease
from evalrpc_server.workers.messages import Chunk

_MAX_RESULTS = 200
_MAX_CHARACTERS = 700_000  # at most 4 bytes each, so that a chunk fits into one message

Send = Callable[[Lease, Chunk], None]
"""Sends a chunk to the worker that has a lease."""


@asynccontextmanager
async def fed(lease: Lease, results: AsyncIterable[Sequence[ItemResult]], send: Send) -> AsyncGenerator[None]:
    """Sends results to the worker that has the lease, while the block waits for its report.

    A fault in reading them ends the lease, and with it the wait.
    """
    feeding = asyncio.create_task(_feed(lease, results, send))
    try:
        yield
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


async def _feed(lease: Lease, results: AsyncIterable[Sequence[ItemResult]], send: Send) -> None:
    try:
        held: list[ItemResult] = []
        number = 0
        async for chunk in _chunks(results):
            if held:
                number += 1
                await _deliver(lease, Chunk(token=lease.token, number=number, results=held, last=False), send)
            held = chunk
        await _deliver(lease, Chunk(token=lease.token, number=number + 1, results=held, last=True), send)
    except Exception as error:  # noqa: BLE001  it is raised where the report is awaited
        if not lease.done.done():
            lease.done.set_exception(error)


async def _deliver(lease: Lease, chunk: Chunk, send: Send) -> None:
    """Sends a chunk, again in each session of the worker, until it is taken in."""
    sent_in = None
    while lease.taken < chunk.number:
        if lease.session != sent_in:
            sent_in = lease.session
            send(lease, chunk)
        lease.progress.clear()
        await lease.progress.wait()


async def _chunks(results: AsyncIterable[Sequence[ItemResult]]) -> AsyncIterator[list[ItemResult]]:
    chunk: list[ItemResult] = []
    characters = 0
    async for page in results:
        for result in page:
            if chunk and (len(chunk) >= _MAX_RESULTS or characters + result.size > _MAX_CHARACTERS):
                yield chunk
                chunk, characters = [], 0
            chunk.append(result)
            characters += result.size
    if chunk:
        yield chunk
