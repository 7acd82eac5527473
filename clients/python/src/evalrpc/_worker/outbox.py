"""What a worker sends over one stream."""

from __future__ import annotations

import queue
import threading
from typing import Self

from evalrpc.v1 import worker_messages_pb2, worker_service_pb2

BATCHES = "batches"
"""The capability of sides that take several messages as one."""

_MOST_BATCHED = 100
_BATCH_BYTES = 256 * 1024
_LINGER = 0.005  # seconds in which slots that become free are announced together


class Outbox:
    """Messages in their order, as the iterator that gRPC sends from. Slots that become free are announced in groups.

    Args:
        hello: the first message.
        group: how many free slots are announced without waiting for more.

    Attributes:
        batches: whether the server takes several messages as one: whatever has gathered while the last one was sent.
    """

    def __init__(self, hello: worker_messages_pb2.Hello, *, group: int) -> None:
        self._queue: queue.SimpleQueue[worker_service_pb2.ServeRequest | _Mark] = queue.SimpleQueue()
        self._group = group
        self._lock = threading.Lock()
        self._free = 0
        self._closed = False
        self.batches = False
        self.put(worker_service_pb2.ServeRequest(hello=hello))

    def put(self, message: worker_service_pb2.ServeRequest) -> None:
        """Queues a message."""
        self._queue.put(message)

    def grant(self, count: int) -> None:
        """Lets the server send so many more calls, as soon as it is worth a message."""
        with self._lock:
            before, self._free = self._free, self._free + count
        if before == 0 or before < self._group <= self._free:
            self._queue.put(_CREDIT if self._free >= self._group else _WAKE)

    def close(self) -> None:
        """Ends the stream behind what is queued."""
        self._queue.put(_END)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> worker_service_pb2.ServeRequest:
        """Waits for the next message.

        Raises:
            StopIteration: the outbox was closed.
        """
        while not self._closed:
            message = self._read(self._next())
            if message is not None:
                return self._gathered(message) if self.batches else message
        raise StopIteration

    def _next(self) -> worker_service_pb2.ServeRequest | _Mark:
        try:
            return self._queue.get(timeout=_LINGER if self._free else None)
        except queue.Empty:
            return _CREDIT

    def _read(self, entry: worker_service_pb2.ServeRequest | _Mark) -> worker_service_pb2.ServeRequest | None:
        """Returns the message that an entry stands for, if any."""
        if isinstance(entry, worker_service_pb2.ServeRequest):
            return entry
        if entry is _END:
            self._closed = True
        elif entry is _CREDIT and (free := self._take_free()):
            return worker_service_pb2.ServeRequest(credit=worker_messages_pb2.Credit(count=free))
        return None

    def _gathered(self, first: worker_service_pb2.ServeRequest) -> worker_service_pb2.ServeRequest:
        """Returns a message with what else is there to be sent."""
        taken, size = [first], first.ByteSize()
        while not self._closed and len(taken) < _MOST_BATCHED and size < _BATCH_BYTES:
            try:
                message = self._read(self._queue.get_nowait())
            except queue.Empty:
                break
            if message is not None:
                taken.append(message)
                size += message.ByteSize()
        if len(taken) == 1:
            return first
        return worker_service_pb2.ServeRequest(batch=worker_service_pb2.ServeRequestBatch(requests=taken))

    def _take_free(self) -> int:
        with self._lock:
            free, self._free = self._free, 0
        return free


class _Mark:
    """Stands in the queue for something other than a message."""


_CREDIT, _WAKE, _END = _Mark(), _Mark(), _Mark()
