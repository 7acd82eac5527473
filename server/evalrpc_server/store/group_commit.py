"""Group commit: all writes go through one queue to one thread, and those that wait together share one transaction.

Durability then costs one fsync per batch. Each write still stands alone: one that fails takes nothing with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from msgspec import Struct

from evalrpc_server import failpoints
from evalrpc_server.store.connection import ATTEMPTS, Connection, ConnectionLostError
from evalrpc_server.store.port import StoreError

A = TypeVar("A")
R = TypeVar("R")

MAX_BATCH_WRITES = 512
MAX_BATCH_SIZE = 16 * 1024 * 1024
MAX_WAITING_WRITES = 4096
MAX_WAITING_SIZE = 32 * 1024 * 1024

_logger = logging.getLogger(__name__)


class _Write(Struct, eq=False):
    """One write in the queue; `outcome` is its result, or the exception that it failed with."""

    operation: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    argument: Any
    size: int
    future: asyncio.Future[Any]
    outcome: Any = None


class GroupCommit:
    """The writer of a store: a bounded queue, a thread, and the one connection that writes.

    An operation takes the arguments of several writes at once and returns their results in order. It is run again, one
    argument at a time, when it fails, so it must not leave anything behind outside the database.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._waiting_writes = 0
        self._waiting_size = 0
        self._gate = asyncio.Lock()
        self._at_gate = 0
        self._room = asyncio.Event()
        self._closed = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(
        self, operation: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A, *, size: int = 0
    ) -> R:
        """Runs an operation within the next transaction and returns its result once that is durable.

        Writes take effect in the order of the calls. A caller that is cancelled meanwhile does not undo its write.

        Args:
            operation: what to do; adjacent writes of the same operation are done by one call.
            argument: what to do it with.
            size: characters that the argument takes in the queue, about.

        Raises:
            StoreError: nothing of this write is stored.
        """
        if self._at_gate or self._full:
            self._at_gate += 1
            try:
                async with self._gate:  # first come, first served, so that the order of the calls stands
                    while self._full and not self._closed:
                        self._room.clear()
                        await self._room.wait()
                    future = self._put(operation, argument, size)
            finally:
                self._at_gate -= 1
        else:
            future = self._put(operation, argument, size)
        result: R = await future
        return result

    async def close(self) -> None:
        """Waits until what was begun is stored, and closes the connection."""
        if not self._closed:
            self._closed = True
            self._room.set()
            self._queue.put(None)
        await self._ended.wait()
        self._thread.join()

    @property
    def _full(self) -> bool:
        return self._waiting_writes >= MAX_WAITING_WRITES or self._waiting_size >= MAX_WAITING_SIZE

    def _put(
        self, operation: Callable[[Connection, Sequence[A]], Sequence[R]], argument: A, size: int
    ) -> asyncio.Future[R]:
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[R] = self._loop.create_future()
        self._waiting_writes += 1
        self._waiting_size += size
        self._queue.put(_Write(operation, argument, size, future))
        return future

    def _resolve(self, batch: Sequence[_Write]) -> None:
        for write in batch:
            self._waiting_writes -= 1
            self._waiting_size -= write.size
            if write.future.done():  # its caller was cancelled
                continue
            if isinstance(write.outcome, Exception):
                write.future.set_exception(write.outcome)
            else:
                write.future.set_result(write.outcome)
        self._room.set()

    def _run(self) -> None:
        try:
            while batch := self._take():
                execute_batch(self._connection, batch)
                self._loop.call_soon_threadsafe(self._resolve, batch)
        finally:
            self._connection.close()
            self._loop.call_soon_threadsafe(self._ended.set)

    def _take(self) -> list[_Write]:
        """Waits for a write and takes all that wait with it, within bounds; an empty list is the end."""
        first = self._queue.get()
        if first is None:
            return []
        batch, size = [first], first.size
        while len(batch) < MAX_BATCH_WRITES and size < MAX_BATCH_SIZE:
            try:
                write = self._queue.get_nowait()
            except Empty:
                break
            if write is None:
                self._queue.put(None)  # nothing comes behind the end
                break
            batch.append(write)
            size += write.size
        return batch


def execute_batch(connection: Connection, batch: Sequence[_Write]) -> None:
    """Runs all writes in one transaction and notes their outcomes."""
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _execute(connection, batch)
                break
            except ConnectionLostError:
                connection.rollback()
                if attempt == ATTEMPTS:
                    raise
    except Exception as error:  # noqa: BLE001 - handed to every caller of the batch
        connection.rollback()
        _logger.warning("a batch of %d writes failed: %s", len(batch), error)
        for write in batch:
            write.outcome = _copy(error)


def _execute(connection: Connection, batch: Sequence[_Write]) -> None:
    connection.begin()
    failpoints.reach("store.before_execute")
    for _, group in groupby(batch, key=lambda write: write.operation):
        writes = list(group)
        if not _attempt(connection, writes) and len(writes) > 1:
            for write in writes:
                _attempt(connection, [write])
    failpoints.reach("store.before_commit")
    connection.commit()
    failpoints.reach("store.after_commit")


def _attempt(connection: Connection, writes: Sequence[_Write]) -> bool:
    """Runs one operation for all of the writes, all or none of them; returns whether it succeeded.

    Raises:
        StoreError: the whole transaction is gone.
    """
    connection.execute("SAVEPOINT attempt")
    try:
        results = writes[0].operation(connection, [write.argument for write in writes])
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO SAVEPOINT attempt")
        connection.execute("RELEASE SAVEPOINT attempt")
        for write in writes:
            write.outcome = error
        return False
    connection.execute("RELEASE SAVEPOINT attempt")
    for write, result in zip(writes, results, strict=True):
        write.outcome = result
    return True


def _copy(error: Exception) -> Exception:
    """Returns an exception of the same kind, so that no two tasks raise the same object."""
    return (
        type(error)(*error.args)
        if isinstance(error, StoreError)
        else StoreError(f"the store failed: {error!r}")
    )
