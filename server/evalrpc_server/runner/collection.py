"""The items of a run: fetched data goes into the store as it arrives, and the run reads it from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from evalrpc_server.datasets.port import DataSource
from evalrpc_server.domain.items import Item
from evalrpc_server.store.port import ItemCollection, ItemStore, StoreError

_PAGE = 500
_PAGE_CHARACTERS = 1024 * 1024


class Collection:
    """The items of one experiment, read in pages from the store while a source may still be filling it."""

    def __init__(self, collection_id: str, *, store: ItemStore, source: DataSource | None = None) -> None:
        self._id = collection_id
        self._store = store
        self._source = source
        self._grown = asyncio.Event()

    async def load(self) -> None:
        """Fetches what is missing, page by page; returns at once where nothing is.

        Raises:
            DataSourceError: the source cannot be read.
            StoreError: a page cannot be stored.
        """
        state = await self.state()
        if self._source is None or state.complete:
            return
        try:
            first = state.count
            async for page in self._source.pages(cursor=state.cursor, first_index=first):
                await self._store.append_items(self._id, page.items, cursor=page.cursor, complete=page.last)
                first += len(page.items)
                self._grown.set()
        finally:
            await self._source.aclose()

    async def state(self) -> ItemCollection:
        """Returns how much there is, making an empty collection where there is none.

        Raises:
            StoreError: the collection vanished.
        """
        state = await self._store.get_collection(self._id)
        if state is None:
            await self._store.create_collection(self._id)
            state = await self._store.get_collection(self._id)
        if state is None:
            raise StoreError("the items of the experiment are gone")
        return state

    async def pages(self, *, end: int | None) -> AsyncGenerator[list[Item]]:
        """Yields all items with an index below `end`, waiting for those that are still to come."""
        after = -1
        reading = asyncio.ensure_future(self._page(after, end))
        try:
            while page := await reading:
                after = page[-1].index
                reading = asyncio.ensure_future(self._page(after, end))
                yield page
        finally:
            reading.cancel()

    async def _page(self, after: int, end: int | None) -> list[Item]:
        while end is None or after + 1 < end:
            self._grown.clear()
            complete = (await self.state()).complete
            limit = _PAGE if end is None else min(_PAGE, end - after - 1)
            page = await self._store.read_items(
                self._id, after=after, limit=limit, characters=_PAGE_CHARACTERS
            )
            if page or complete:
                return list(page)
            await self._grown.wait()
        return []
