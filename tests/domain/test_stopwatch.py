"""Stopwatches: what a call leaves behind in the background runs no time of its caller's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from evalrpc_server.domain.stopwatch import Stopwatch, paused, queueing


@pytest.mark.parametrize("waiting", [paused, queueing])
async def test_wait_in_the_background_that_outlives_the_call_does_not_cut_off_its_caller(
    waiting: Callable[[], AbstractContextManager[None]],
) -> None:
    over = asyncio.Event()

    async def background() -> None:
        with waiting():
            await over.wait()

    async def caller() -> None:
        with Stopwatch(0.01) as stopwatch:
            left = asyncio.create_task(background())
            await asyncio.sleep(0)  # so that it waits before the call is over
        over.set()
        await left
        await asyncio.sleep(0.05)  # several times what the call might have taken
        assert not stopwatch.expired

    await asyncio.create_task(caller())
