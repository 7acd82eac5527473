"""What a run needs from workers: functions that somebody hosts, and word for them of what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.runner.recorder import Recorder

_SETTLE_SECONDS = 1.0  # a worker that connects anew is not worth an event


class Hosting(Protocol):
    """The worker functions of one experiment."""

    def absent(self) -> Error | None:
        """Returns which of the functions that every trial needs has no worker, as a reason for waiting."""

    def starved(self) -> Error | None:
        """Returns which function has calls of this experiment waiting for it, and no worker."""

    def changed(self) -> Coroutine[Any, Any, object]:
        """Returns what ends once an answer of the above may have become another one since this call."""

    def stored(self, unit: str) -> None:
        """Tells workers that what they reported is durable: of a trial, by its trace id, or of the run, by its own id."""

    def close(self) -> None:
        """Tells workers that no more of what they reported will be stored."""


class RunError(Exception):
    """The run cannot go on; the experiment fails with this error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class Attendance:
    """Shows when a run waits for a worker, and ends the run when that takes longer than `patience` seconds."""

    def __init__(self, hosting: Hosting, recorder: Recorder, clock: Clock, patience: float) -> None:
        self._hosting = hosting
        self._recorder = recorder
        self._clock = clock
        self._patience = patience

    async def wait(self) -> None:
        """Waits until the functions that every trial needs are hosted.

        Raises:
            RunError: one was not for too long.
        """
        await self._wait(self._hosting.absent)

    async def supervise(self) -> None:
        """Waits, whenever calls have no worker that could take them, until there is one. Never ends by itself.

        Raises:
            RunError: there was none for too long.
        """
        while True:
            changed = self._hosting.changed()
            if self._hosting.starved() is None:
                await changed
                continue
            changed.close()
            if not await self._resolved(self._hosting.starved, _SETTLE_SECONDS):
                await self._wait(self._hosting.starved)

    async def _wait(self, find: Callable[[], Error | None]) -> None:
        problem = find()
        if problem is not None:
            await self._recorder.note_waiting(problem)
            if not await self._resolved(find, self._patience):
                waited = {**problem.metadata, "waited_seconds": f"{self._patience:g}"}
                raise RunError(replace(find() or problem, metadata=waited))
        if self._recorder.experiment.waiting is not None:
            await self._recorder.note_waiting(None)

    async def _resolved(self, find: Callable[[], Error | None], seconds: float) -> bool:
        """Waits until there is no problem any more; returns whether that was in time."""
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        change: asyncio.Future[object] | None = None
        try:
            while find() is not None:
                if pause.done():
                    return False
                change = asyncio.ensure_future(self._hosting.changed())
                await asyncio.wait({pause, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
            return True
        finally:
            pause.cancel()
            if change is not None:
                change.cancel()
