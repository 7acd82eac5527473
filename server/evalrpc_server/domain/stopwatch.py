"""Timing one call: how long it may take and how long it took, apart from the time that it stood in a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from evalrpc_server.domain.clock import Clock, SystemClock

_SYSTEM = SystemClock()


class Stopwatch:
    """Bounds and times the call that is made in its block, which ends with TimeoutError when it takes too long.

    Attributes:
        timeout: in seconds.
        start_time: when the call began.
    """

    def __init__(self, timeout: float, clock: Clock = _SYSTEM) -> None:
        self._clock = clock
        self.timeout = timeout
        self._deadline = asyncio.timeout(timeout)
        self._token: Token[Stopwatch | None] | None = None
        self.start_time = clock.now()
        self._began = clock.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock.monotonic() - self._began

    @property
    def expired(self) -> bool:
        """Whether the time was up."""
        return self._deadline.expired()

    def hold(self) -> None:
        """Lets no time run out until `begin`."""
        if not self._deadline.expired():
            self._deadline.reschedule(None)

    def begin(self) -> None:
        """Lets the call begin now, as if nothing had been before."""
        self.start_time, self._began = self._clock.now(), self._clock.monotonic()
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self.timeout)

    async def __aenter__(self) -> Self:
        self._token = _current.set(self)
        await self._deadline.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        await self._deadline.__aexit__(kind, error, traceback)


_current: ContextVar[Stopwatch | None] = ContextVar("evalrpc_stopwatch", default=None)


def time_limit() -> float:
    """Returns how long the call in which this is asked may take, in seconds; 0 where nobody bounds it."""
    stopwatch = _current.get()
    return stopwatch.timeout if stopwatch else 0.0


@contextmanager
def queueing() -> Iterator[None]:
    """Keeps a wait for one's turn off the stopwatch around it: the call begins when the block ends."""
    stopwatch = _current.get()
    if stopwatch is None:
        yield
        return
    stopwatch.hold()
    yield
    stopwatch.begin()
