"""Waiting after failures: exponentially, with jitter, and together, so that one success ends the waiting of all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.langfuse.api import ApiError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class Backoff:
    """How a project's deliveries wait out failures, and what failed last.

    Args:
        project: by its name in the configuration.
        clock: for waiting.
        uniform: the source of jitter.
    """

    def __init__(
        self, project: str, clock: Clock, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._project = project
        self._clock = clock
        self._uniform = uniform
        self._succeeded = asyncio.Event()
        self._trouble: tuple[Error, datetime] | None = None
        self._failing = False

    @property
    def failing(self) -> bool:
        """Whether nothing has succeeded since the last failure."""
        return self._failing

    @property
    def trouble(self) -> tuple[Error, datetime] | None:
        """What went wrong last and when; None where nothing has since the server's start."""
        return self._trouble

    def note_success(self) -> None:
        """Wakes those that wait: Langfuse answers again."""
        self._failing = False
        succeeded, self._succeeded = self._succeeded, asyncio.Event()
        succeeded.set()

    async def wait(self, failures: int, error: ApiError) -> None:
        """Waits after so many failures of one request in a row.

        At least as long as Langfuse asked, and otherwise at most until another request succeeds.
        """
        self._failing = True
        self._trouble = error.as_error(self._project), self._clock.now()
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))
        pause = self._uniform(longest / 2, longest)
        least = max(min(pause, FIRST_SECONDS), error.retry_after or 0.0)
        succeeded = self._succeeded
        await self._clock.sleep(least)
        if pause <= least or succeeded.is_set():
            return
        tasks = [
            asyncio.ensure_future(succeeded.wait()),
            asyncio.ensure_future(self._clock.sleep(pause - least)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
