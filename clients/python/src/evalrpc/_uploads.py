"""Items in the messages of an upload."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from evalrpc.v1 import dataset_service_pb2, item_pb2

CHUNK_BYTES = 1024 * 1024
"""A message is closed once it has this size: with one more item of three 1 MiB documents it would still be sent."""


class Chunker:
    """Gathers items until they make a message. Its messages stay below 4 MiB, whatever an item may hold."""

    def __init__(self, description: str = "") -> None:
        self._description = description
        self._items: list[item_pb2.Item] = []
        self._bytes = 0

    def header(self) -> dataset_service_pb2.UploadItemsRequest:
        """Returns the first message of an upload."""
        header = dataset_service_pb2.UploadHeader(description=self._description)
        return dataset_service_pb2.UploadItemsRequest(header=header)

    def add(self, item: item_pb2.Item) -> dataset_service_pb2.UploadItemsRequest | None:
        """Takes an item; returns a message of those before it once there is no room for it."""
        size = item.ByteSize() + 8
        full = self.rest() if self._bytes + size > CHUNK_BYTES else None
        self._items.append(item)
        self._bytes += size
        return full

    def rest(self) -> dataset_service_pb2.UploadItemsRequest | None:
        """Returns a message of what is left; None if nothing is."""
        if not self._items:
            return None
        items = item_pb2.ItemList(items=self._items)
        self._items, self._bytes = [], 0
        return dataset_service_pb2.UploadItemsRequest(items=items)


def upload_messages(
    items: Iterator[item_pb2.Item], description: str
) -> Iterator[dataset_service_pb2.UploadItemsRequest]:
    """Yields the messages of an upload, each as soon as its items are there."""
    chunker = Chunker(description)
    yield chunker.header()
    for item in items:
        if (message := chunker.add(item)) is not None:
            yield message
    if (message := chunker.rest()) is not None:
        yield message


async def async_upload_messages(
    items: AsyncIterator[item_pb2.Item], description: str
) -> AsyncIterator[dataset_service_pb2.UploadItemsRequest]:
    """Yields the messages of an upload, each as soon as its items are there."""
    chunker = Chunker(description)
    yield chunker.header()
    async for item in items:
        if (message := chunker.add(item)) is not None:
            yield message
    if (message := chunker.rest()) is not None:
        yield message
