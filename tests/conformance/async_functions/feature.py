"""Coroutine functions on the caller's own loop: four calls meet before any of them answers."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.stage import SECONDS, Stage


async def run(stage: Stage) -> Any:
    meeting = asyncio.Barrier(4)

    async def square(*, item: Any) -> int:
        async with asyncio.timeout(SECONDS):
            await meeting.wait()
        return int(item.input**2)

    async def right(*, input: int, output: int, **_: Any) -> bool:
        await asyncio.sleep(0)
        return output == input**2

    async with stage.async_client() as client:
        result = await client.run(
            name=stage.unique("run"),
            data=[{"input": number} for number in range(4)],
            task=square,
            evaluators=[right],
            max_concurrency=4,
        ).result()
    return {
        "outputs": [each.output for each in result.item_results],
        "evaluations": [each.evaluations[0].value for each in result.item_results],
    }
