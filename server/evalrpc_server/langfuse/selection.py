"""Which items of a dataset an experiment runs over, page by page, in bounded memory.

Without shuffle and sample, items are passed on as they are read, and a cursor says how far. With either, the whole dataset is
read once into a spool on disk, the order is drawn, and the items are passed on from the spool; after a restart it is read
again, and as the order depends on the seed alone, goes on behind what was passed on.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import msgspec
from msgspec import Struct

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.datasets import DatasetItem
from evalrpc_server.domain.documents import JsonValue, parse_document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.langfuse.dataset_pages import Batch, OldestFirst
from evalrpc_server.langfuse.draw import Draw
from evalrpc_server.langfuse.spool import Spool

_PAGE = 100
_PAGE_BYTES = 4 * 1024 * 1024
_NAMED = 5


class SelectedPage(Struct, frozen=True):
    """Selected items in a row; `cursor` goes on behind them, `last` tells that none follow."""

    items: Sequence[DatasetItem]
    cursor: str
    last: bool


class _Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the selection has come.

    Attributes:
        position: of the next item to read, counted from the oldest.
        taken: items passed on.
        found: a bit for each of the ids asked for, in hexadecimal.
    """

    position: int = 0
    taken: int = 0
    found: str = "0"


class Selection:
    """The selected items of one dataset.

    Args:
        reading: reads the dataset.
        dataset: says which items.
        spool: the directory for items whose order is being drawn.
        at_most: a limit besides that of `dataset`.
        lenient: whether the dataset may lack what is asked for.
    """

    def __init__(
        self,
        reading: OldestFirst,
        dataset: LangfuseDataset,
        *,
        spool: Path,
        at_most: int | None = None,
        lenient: bool = False,
    ) -> None:
        self._reading = reading
        self._dataset = dataset
        self._spool = spool
        self._lenient = lenient
        limits = [limit for limit in (dataset.limit, at_most) if limit is not None]
        self._limit = min(limits, default=None)
        self._ids = {item_id: number for number, item_id in enumerate(dataset.item_ids)}
        self._all_found = (1 << len(self._ids)) - 1
        self._found = 0
        self._taken = 0

    async def pages(self, cursor: str = "") -> AsyncGenerator[SelectedPage]:
        """Yields the items from the beginning or behind a cursor; the last page may be empty.

        Raises:
            DataSourceError: they cannot be read; or, unless it is lenient, one that is asked for by its id is not there, or
                nothing is selected.
        """
        start = msgspec.json.decode(cursor, type=_Cursor) if cursor else _Cursor()
        drawn = self._dataset.shuffle is not None or self._dataset.sample is not None
        async with aclosing(self._drawn(start) if drawn else self._in_order(start)) as pages:
            async for page in pages:
                yield page

    def _check(self, taken: int) -> None:
        """Checks a selection that is complete."""
        if self._lenient:
            return
        name = self._dataset.name
        facts = {"dataset": name, "project": self._reading.project}
        stopped_early = self._limit is not None and taken >= self._limit
        if (missing := self._missing()) and not stopped_early:
            named = ", ".join(repr(item_id) for item_id in missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            problem = f"The dataset {name!r} had no active item {named}{more} as of {self._dataset.version}."
            facts["dataset_item_id"] = missing[0]
        elif taken == 0:
            problem = f"No item of the dataset {name!r} as of {self._dataset.version} is selected; check metadata_equals."
        else:
            return
        raise DataSourceError(Error(reason=Reason.DATASET_ITEM_NOT_FOUND, message=problem, metadata=facts))

    def _missing(self) -> list[str]:
        return [item_id for item_id, number in self._ids.items() if not self._found >> number & 1]

    async def _in_order(self, start: _Cursor) -> AsyncGenerator[SelectedPage]:
        self._taken, self._found = start.taken, int(start.found, 16)
        position, last = start.position, False
        async with aclosing(self._reading.batches(position)) as batches:
            async for batch in batches:
                items = []
                for position, item in enumerate(batch.items, batch.first + 1):  # noqa: B007  used behind the loop
                    if self._takes(item):
                        items.append(item)
                        self._taken += 1
                    if self._complete():
                        break
                last = position >= batch.total or self._complete()
                if last:
                    self._check(self._taken)
                yield self._page(items, position, last=last)
                if last:
                    return
        self._check(self._taken)
        yield self._page((), position, last=True)

    def _complete(self) -> bool:
        """Whether no further item can be taken."""
        return (self._limit is not None and self._taken >= self._limit) or bool(
            self._ids and self._found == self._all_found
        )

    def _page(self, items: Sequence[DatasetItem], position: int, *, last: bool) -> SelectedPage:
        cursor = _Cursor(position, self._taken, f"{self._found:x}")
        return SelectedPage(items, msgspec.json.encode(cursor).decode(), last)

    async def _drawn(self, start: _Cursor) -> AsyncGenerator[SelectedPage]:
        spool = None
        try:
            spool = await asyncio.to_thread(Spool, self._spool)
            places = await self._draw(spool)
            self._check(len(places))
            self._taken = start.taken
            last = False
            while not last:
                items: list[DatasetItem] = []
                if rest := places[self._taken : self._taken + _PAGE]:
                    items = await asyncio.to_thread(spool.read, rest, max_bytes=_PAGE_BYTES)
                self._taken += len(items)
                last = self._taken >= len(places)
                yield self._page(items, 0, last=last)
        except OSError as error:
            raise DataSourceError(_no_room(error)) from None
        finally:
            if spool is not None:
                spool.close()

    async def _draw(self, spool: Spool) -> array[int]:
        draw = Draw(self._dataset, self._limit)
        async with aclosing(self._reading.batches()) as batches:
            async for batch in batches:
                wanted = self._candidates(batch, draw)
                for item, place in zip(wanted, await asyncio.to_thread(spool.append, wanted), strict=True):
                    draw.add(item.id, place)
        return draw.chosen()

    def _candidates(self, batch: Batch, draw: Draw) -> list[DatasetItem]:
        return [item for item in batch.items if self._takes(item) and draw.wants(item.id)]

    def _takes(self, item: DatasetItem) -> bool:
        if self._ids:
            number = self._ids.get(item.id)
            if number is None:
                return False
            self._found |= 1 << number
        wanted = self._dataset.metadata_equals
        if not wanted:
            return True
        metadata = parse_document(item.metadata) if item.metadata is not None else None
        return isinstance(metadata, dict) and all(
            name in metadata and _same(metadata[name], value) for name, value in wanted.items()
        )


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Tells whether two values are the same JSON; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _no_room(error: OSError) -> Error:
    return Error(
        reason=Reason.STORE_FULL,
        message=f"The dataset cannot be spooled to the server's disk for its random order ({error.strerror}).",
        metadata={"store": "spool"},
    )
