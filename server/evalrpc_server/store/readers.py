"""Reading: a few threads, each with a connection of its own, so that no read waits for a write or blocks the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Concatenate, ParamSpec, TypeVar

from evalrpc_server.store.connection import ATTEMPTS, Connection, ConnectionLostError
from evalrpc_server.store.port import StoreError

P = ParamSpec("P")
R = TypeVar("R")

READERS = 4
"""Reads at the same time; more than a few only compete for Python's global lock."""


class Readers:
    """A small pool of reading threads. Connections are made when they are first needed."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._executor: ThreadPoolExecutor | None = ThreadPoolExecutor(
            READERS, thread_name_prefix="store-reader"
        )

    async def read(
        self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Runs a function that only reads, in a thread, and returns its result.

        Raises:
            StoreError: the database failed.
        """
        if self._executor is None:
            raise StoreError("the store is closed")

        def work() -> R:
            return self._work(lambda connection: function(connection, *args, **kwargs))

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        """Waits for the reads that have begun and closes the connections."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            await asyncio.to_thread(executor.shutdown)
            while (connection := self._take_idle()) is not None:
                connection.close()

    def _work(self, function: Callable[[Connection], R]) -> R:
        connection = self._take_idle() or self._connect()
        try:
            for _ in range(1, ATTEMPTS):
                try:
                    return function(connection)
                except ConnectionLostError:
                    connection.close()
                    connection = self._connect()
            return function(connection)
        finally:
            self._idle.put(connection)

    def _take_idle(self) -> Connection | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None
