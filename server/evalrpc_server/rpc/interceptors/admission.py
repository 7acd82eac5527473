"""Stages: whether a call is let in at all, by how many are open and by whether the server is shutting down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evalrpc_server.domain.errors import ExhaustedError, UnavailableError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.interceptors.call import Call

_FINISHING = frozenset({"evalrpc.v1.WorkerService/ReportTask"})
"""Methods that bring what is in flight to its end."""


class Admission:
    """Bounds how many RPCs are open at once, streams included; those about the server itself are exempt.

    Args:
        limit: how many.
        retry_after: seconds that a refused caller is told to wait.
    """

    def __init__(self, limit: int, *, retry_after: float = 1.0) -> None:
        self._limit = limit
        self._retry_after = retry_after
        self._open = 0

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        """Lets a call in, or refuses it with TOO_MANY_RPCS."""
        if call.about_server:
            yield
            return
        if self._open >= self._limit:
            raise ExhaustedError(
                Reason.TOO_MANY_RPCS,
                f"the server has {self._limit} RPCs open, as many as it may; try again later",
                retry_after=self._retry_after,
                limit=str(self._limit),
            )
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class Draining:
    """Refuses new calls once the server shuts down; those about the server itself, or what is in flight, go on.

    Args:
        retry_after: seconds that a refused caller is told to wait.
    """

    def __init__(self, *, retry_after: float = 5.0) -> None:
        self._retry_after = retry_after
        self._draining = False

    def begin(self) -> None:
        """Refuses every new call from now on."""
        self._draining = True

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        """Lets a call in, or refuses it with DRAINING."""
        if self._draining and not call.about_server and call.method not in _FINISHING:
            raise UnavailableError(
                Reason.DRAINING,
                "the server is shutting down; repeat the call on the next one",
                retry_after=self._retry_after,
            )
        yield
