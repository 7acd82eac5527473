"""Time that stands still while anything can go on, and then goes on to what is waited for next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

_STEPS = 10


class VirtualClock:
    """A clock for code that waits by it alone."""

    def __init__(self) -> None:
        self._elapsed = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(seconds, 0.0), next(self._numbers), woken))
        await woken

    async def run(self, *coroutines: Coroutine[Any, Any, Any]) -> float:
        """Runs coroutines to their end and returns the seconds that they took on this clock."""
        began = self._elapsed
        tasks = [asyncio.ensure_future(each) for each in coroutines]
        while not all(task.done() for task in tasks):
            for _ in range(_STEPS):
                await asyncio.sleep(0)
            if self._sleepers:
                until, _, woken = heapq.heappop(self._sleepers)
                self._elapsed = max(self._elapsed, until)
                if not woken.done():
                    woken.set_result(None)
        for task in tasks:
            task.result()
        return self._elapsed - began
