"""Uploads whose items are read in the caller's own thread."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Condition

import grpc

from evalrpc._connection import Metadata
from evalrpc._model.evaluators import Upload
from evalrpc.v1 import dataset_service_pb2 as service


def upload_items(
    method: grpc.StreamUnaryMultiCallable[service.UploadItemsRequest, service.UploadItemsResponse],
    messages: Iterator[service.UploadItemsRequest],
    *,
    metadata: Metadata,
) -> Upload:
    """Sends messages as they come, and only as fast as the server takes them.

    gRPC itself reads a request iterator in a thread of its own, where a caller's database cursor may not be used and
    where an exception would be lost.

    Raises:
        grpc.RpcError: the upload failed.
    """
    handover = Handover()
    call = method.future(handover, metadata=metadata)
    call.add_done_callback(lambda _: handover.stop())
    try:
        for message in messages:
            if not handover.put(message):
                break  # the call has ended; its result says why
        handover.finish()
        response = call.result()
    except BaseException:
        call.cancel()  # before the stream could look complete
        raise
    finally:
        handover.stop()
    return Upload(response.upload_id, response.item_count)


class Handover:
    """Hands messages from one thread to another, one at a time."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._message: service.UploadItemsRequest | None = None
        self._finished = False
        self._stopped = False

    def put(self, message: service.UploadItemsRequest) -> bool:
        """Waits until the message before was taken, and leaves one; tells whether anybody still takes them."""
        with self._changed:
            self._changed.wait_for(lambda: self._message is None or self._stopped)
            self._message = message
            self._changed.notify_all()
            return not self._stopped

    def finish(self) -> None:
        """Says that no message follows."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Says that nobody takes messages any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[service.UploadItemsRequest]:
        return self

    def __next__(self) -> service.UploadItemsRequest:
        with self._changed:
            self._changed.wait_for(lambda: self._message is not None or self._finished or self._stopped)
            message, self._message = self._message, None
            self._changed.notify_all()
            if message is None or self._stopped:
                raise StopIteration
            return message
