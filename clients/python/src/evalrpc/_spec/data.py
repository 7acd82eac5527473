"""Where items come from: written into the request, uploaded, or in Langfuse."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Generic, TypeVar

from evalrpc._documents import encode
from evalrpc._errors import EvalrpcError, Violation, invalid
from evalrpc._model.datasets import DatasetItem
from evalrpc._model.evaluators import Upload
from evalrpc._spec.parsing import struct, timestamp
from evalrpc.v1 import item_pb2, langfuse_pb2

MAX_INLINE_BYTES = 2 * 1024 * 1024
"""Up to this size items travel in the request itself, which must stay below 4 MiB as a whole."""

_DOCUMENTS = ("input", "expected_output", "metadata")
_KEYS = frozenset({"id", *_DOCUMENTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LangfuseDataset:
    """A dataset in Langfuse, and which of its items; the server reads it. The selection applies in this order.

    Attributes:
        name: the dataset's name.
        version: the dataset as it was at this time.
        item_ids: only these items.
        metadata_equals: only items whose metadata has these members with these values.
        shuffle_seed: put them into a random order, the same for the same seed.
        sample_size: take a random sample of so many.
        sample_seed: the same seed gives the same sample.
        limit: take at most so many.
    """

    name: str
    version: datetime | None = None
    item_ids: tuple[str, ...] = ()
    metadata_equals: Mapping[str, Any] | None = None
    shuffle_seed: int | None = None
    sample_size: int | None = None
    sample_seed: int = 0
    limit: int | None = None

    def to_message(self) -> langfuse_pb2.LangfuseDataset:
        """Returns the dataset as the contract's message."""
        message = langfuse_pb2.LangfuseDataset(name=self.name, item_ids=self.item_ids, limit=self.limit or 0)
        if self.version is not None:
            message.version.CopyFrom(timestamp(self.version))
        if self.metadata_equals is not None:
            message.metadata_equals.CopyFrom(struct(self.metadata_equals, "experiment.langfuse_dataset"))
        if self.shuffle_seed is not None:
            message.shuffle.seed = self.shuffle_seed
            message.shuffle.SetInParent()
        if self.sample_size is not None:
            message.sample.size, message.sample.seed = self.sample_size, self.sample_seed
        return message


ItemLike = Mapping[str, Any] | item_pb2.Item | DatasetItem
"""An item: a dict with the keys input, expected_output, metadata and id, of which only input is required.

Items of a dataset in Langfuse come as a list, all of one dataset; the server then reads them there.
"""

Items = Iterable[ItemLike]
AsyncItems = AsyncIterable[ItemLike]
Data = str | Upload | LangfuseDataset | Items
"""Data: items of any number, an upload or its id, or a dataset in Langfuse."""

AsyncData = Data | AsyncItems

D = TypeVar("D")


class OneTime(Generic[D]):
    """Data that are handed out again only if they can be read again."""

    def __init__(self, data: D) -> None:
        self._data = data
        self._taken = False

    def take(self) -> D:
        """Returns the data.

        Raises:
            EvalrpcError: they are an iterator that was taken before, so that a part of them may be gone.
        """
        if self._taken and isinstance(self._data, Iterator | AsyncIterator):
            raise EvalrpcError("the data of this run were read before; make another run with new data")
        self._taken = True
        return self._data


def dataset_of(data: object) -> LangfuseDataset | None:
    """Returns the selection from a dataset that a list of its items stands for; None for other data.

    Raises:
        TypeError: the items are of several datasets or versions, or only some are of a dataset.
    """
    if not isinstance(data, list | tuple) or not any(isinstance(each, DatasetItem) for each in data):
        return None
    origins = {
        (each.dataset_name, each.dataset_version) if isinstance(each, DatasetItem) else None for each in data
    }
    origin = origins.pop()
    if origins or origin is None:
        raise TypeError("data must be items of one dataset in one version, or none of any dataset")
    return LangfuseDataset(name=origin[0], version=origin[1], item_ids=tuple(each.id for each in data))


def item_messages(items: Items) -> Iterator[item_pb2.Item]:
    """Yields items as the contract's messages, one at a time.

    Raises:
        InvalidRequestError: an item has an unknown key, or a value that is not JSON; the path has its index.
    """
    if isinstance(items, Mapping) or not isinstance(items, Iterable):
        raise TypeError(f"data must be items, an upload or a dataset, not a {type(items).__name__}")
    for index, item in enumerate(items):
        yield item_message(item, index)


async def async_item_messages(items: Items | AsyncItems) -> AsyncIterator[item_pb2.Item]:
    """Yields items as `item_messages` does. An ordinary iterable is read on the event loop."""
    if not isinstance(items, AsyncIterable):
        for message in item_messages(items):
            yield message
        return
    index = 0
    async for item in items:
        yield item_message(item, index)
        index += 1


def item_message(item: ItemLike, index: int) -> item_pb2.Item:
    """Returns an item as the contract's message.

    A key that is missing or None gives an absent document; only an input of None is JSON null.
    """
    if isinstance(item, item_pb2.Item):
        return item
    path = f"data[{index}]"
    if isinstance(item, DatasetItem):
        raise TypeError(f"{path} is an item of a dataset; give such items as a list")
    if not isinstance(item, Mapping):
        raise TypeError(f"{path} must be a dict with the key input, not {type(item).__name__}")
    unknown = [key for key in item if key not in _KEYS]
    if unknown:
        raise invalid(
            [
                Violation(f"{path}.{key}", "is unknown; the keys are id, input, expected_output and metadata")
                for key in unknown
            ]
        )
    message = item_pb2.Item(id=item.get("id") or "")
    for key in _DOCUMENTS:
        value = item.get(key)
        if value is None and (key != "input" or key not in item):
            continue
        try:
            getattr(message, key).text = encode(value)
        except ValueError as error:
            raise invalid([Violation(f"{path}.{key}", str(error))]) from None
    return message


class Inline:
    """Gathers items for as long as they fit into a request."""

    def __init__(self) -> None:
        self.messages: list[item_pb2.Item] = []
        self._bytes = 0

    def add(self, message: item_pb2.Item) -> bool:
        """Adds an item; tells whether more may follow."""
        self.messages.append(message)
        self._bytes += message.ByteSize() + 8
        return self._bytes <= MAX_INLINE_BYTES


def inline_or_rest(
    items: Iterator[item_pb2.Item],
) -> tuple[item_pb2.ItemList | None, Iterator[item_pb2.Item]]:
    """Returns the items as a list if they fit into a request, or else all of them, to be uploaded."""
    inline = Inline()
    for message in items:
        if not inline.add(message):
            return None, chain(inline.messages, items)
    return item_pb2.ItemList(items=inline.messages), iter(())


async def async_inline_or_rest(
    items: AsyncIterator[item_pb2.Item],
) -> tuple[item_pb2.ItemList | None, AsyncIterator[item_pb2.Item]]:
    """Does what `inline_or_rest` does."""
    inline = Inline()
    async for message in items:
        if not inline.add(message):
            return None, _async_chain(inline.messages, items)
    return item_pb2.ItemList(items=inline.messages), _async_chain([], items)


async def _async_chain(
    first: Iterable[item_pb2.Item], rest: AsyncIterator[item_pb2.Item]
) -> AsyncIterator[item_pb2.Item]:
    for message in first:
        yield message
    async for message in rest:
        yield message
