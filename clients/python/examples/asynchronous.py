"""The same with asyncio: coroutines run on the caller's loop, as many at once as the experiment allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from evalrpc import AsyncClient


async def answer(*, item: Any) -> str:
    """Waits, as for a model, and answers."""
    await asyncio.sleep(0.05)
    return f"{item.input}!"


async def questions() -> AsyncIterator[dict[str, Any]]:
    """Yields items as they come."""
    for number in range(20):
        yield {"input": number}


async def main() -> None:
    """Runs it."""
    async with AsyncClient() as client:
        run = client.run(name="Async", data=questions(), task=answer)
        finished = [event.item_result.output async for event in run if event.item_result]
        print(len(finished), (await run.result()).state)


asyncio.run(main())
