"""The server's side of a worker's stream: what waits to be sent."""

from __future__ import annotations

import asyncio
from collections import deque

from evalrpc.v1 import worker_service_pb2
from evalrpc_server.domain.errors import RequestError
from evalrpc_server.rpc.worker_messages import message_to_worker
from evalrpc_server.workers.messages import ToWorker

BATCHES = "batches"
"""The capability of sides that take several messages as one."""

_MOST_BATCHED = 100
_BATCH_BYTES = 256 * 1024
_MOST_QUEUED = 1000
"""Messages above which a worker is read no more: it does not read either."""


class StreamLink:
    """Messages on their way to a worker, in their order.

    Args:
        batches: whether the worker takes several as one: whatever has gathered while the last one was written.
    """

    def __init__(self, *, batches: bool = False) -> None:
        self._batches = batches
        self._queued: deque[worker_service_pb2.ServeResponse] = deque()
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = False
        self._error: BaseException | None = None

    def send(self, message: ToWorker) -> None:
        """Queues a message; see `Link`."""
        if not self._closed:
            self.put(message_to_worker(message))

    def put(self, message: worker_service_pb2.ServeResponse) -> None:
        """Queues a message as it is."""
        self._queued.append(message)
        self._changed.set()

    def close(self, error: RequestError | None = None) -> None:
        """Ends the stream once what is queued was sent; with an error, at once."""
        self.fail(error)

    def fail(self, error: BaseException | None) -> None:
        """Ends the stream with an exception, or without one after what is queued."""
        if not self._closed:
            self._closed = True
            self._error = error
            self._changed.set()
            self._drained.set()

    async def room(self) -> None:
        """Waits until not too much is queued."""
        while len(self._queued) > _MOST_QUEUED and not self._closed:
            self._drained.clear()
            await self._drained.wait()

    async def next(self) -> worker_service_pb2.ServeResponse | None:
        """Waits for the next message; None once the link is closed and nothing is queued.

        Raises:
            BaseException: the link was closed with it.
        """
        while self._error is None:
            if self._queued:
                self._drained.set()
                return self._take()
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        raise self._error

    def _take(self) -> worker_service_pb2.ServeResponse:
        first = self._queued.popleft()
        if not self._batches or not self._queued:
            return first
        taken, size = [first], first.ByteSize()
        while self._queued and len(taken) < _MOST_BATCHED:
            size += self._queued[0].ByteSize()
            if size > _BATCH_BYTES:
                break
            taken.append(self._queued.popleft())
        if len(taken) == 1:
            return first
        return worker_service_pb2.ServeResponse(batch=worker_service_pb2.ServeResponseBatch(responses=taken))
