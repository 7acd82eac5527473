"""A dataset's items oldest first, although Langfuse lists them newest first.

Langfuse tells with every page how many items there are, so the list can be read from its end: an item's place, counted from
the oldest, is known before it is read. Pages are fetched ahead of their use. A version that is pinned never changes; with
servers that keep no versions, items that are added meanwhile come before the end of the list, and are left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from msgspec import Struct

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.datasets import DatasetItem
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.datasets import MAX_PAGE, Listing, list_items

logger = logging.getLogger(__name__)

_AHEAD = 4
_PAGE_BYTES = 4 * 1024 * 1024
_KEPT_BYTES = 1024 * 1024
_MAX_CHANGES = 20


class Batch(Struct, frozen=True):
    """Items in a row, oldest first.

    Attributes:
        first: the place of the first of them, counted from the dataset's oldest item, which has 0.
        items: at least one.
        total: how many the dataset has.
    """

    first: int
    items: Sequence[DatasetItem]
    total: int


class _Page(Struct, frozen=True):
    """A page on its way: its items have the places from `first` to before `end`."""

    first: int
    end: int
    limit: int
    reading: asyncio.Task[Listing]


class OldestFirst:
    """Reads a dataset at a version.

    Args:
        api: of the project.
        name: of the dataset.
        version: the dataset as it was then.
        clock: for waiting.
        patience: seconds for which an outage is waited out.
    """

    def __init__(
        self, api: LangfuseApi, name: str, version: str | None, *, clock: Clock, patience: float
    ) -> None:
        self._api = api
        self._name = name
        self._version = version
        self._clock = clock
        self._patience = patience
        self._limit = MAX_PAGE
        self._ahead = _AHEAD

    @property
    def project(self) -> str:
        """The project's name in the configuration."""
        return self._api.project.name

    async def batches(self, start: int = 0) -> AsyncGenerator[Batch]:
        """Yields the items from a place on.

        Raises:
            DataSourceError: they cannot be read.
        """
        newest = await self._newest()
        end = listed = newest.total
        if end <= len(newest.items):
            if start < end:
                yield Batch(start, newest.items[::-1][start:], end)
            return
        changes, position = 0, start
        kept = newest if newest.size <= _KEPT_BYTES else None
        pages: deque[_Page] = deque()
        try:
            while position < end:
                self._fetch_ahead(pages, position, listed, end, kept)
                page = pages.popleft()
                listing = await self._arrived(page)
                if listing is None or listing.total != listed:
                    await _drop(pages, page)
                    if listing is not None:
                        changes += 1
                        if listing.total < listed or changes > _MAX_CHANGES:
                            raise self._changed()
                        listed = listing.total
                    continue
                if len(listing.items) != page.end - page.first:
                    raise self._changed()
                self._adapt(page.limit, listing.size)
                items = listing.items[::-1][position - page.first : end - page.first]
                yield Batch(position, items, end)
                position = page.end
        finally:
            await _drop(pages)

    async def _newest(self) -> Listing:
        while True:
            try:
                listing = await self._read(1, self._limit)
            except ApiError as error:
                if not self._asks_for_less(error, self._limit):
                    raise DataSourceError(error.as_error(self.project)) from None
            else:
                self._adapt(self._limit, listing.size)
                return listing

    def _fetch_ahead(
        self, pages: deque[_Page], position: int, listed: int, end: int, newest: Listing | None
    ) -> None:
        """Asks for the pages behind those on their way.

        Args:
            pages: on their way.
            position: of the first item that is wanted.
            listed: how many items are in the list now.
            end: behind the last item that is wanted.
            newest: the list's first page, where it is kept.
        """
        first = pages[-1].end if pages else position
        while len(pages) < self._ahead and first < end:
            limit = self._limit
            number = (listed - 1 - first) // limit + 1
            behind = listed - (number - 1) * limit
            if newest is not None and (number, limit, listed) == (1, len(newest.items), newest.total):
                reading = asyncio.create_task(_at_hand(newest))
            else:
                reading = asyncio.create_task(self._read(number, limit))
            pages.append(_Page(max(0, behind - limit), behind, limit, reading))
            first = behind

    async def _arrived(self, page: _Page) -> Listing | None:
        """Returns a page's items, or None where it has to be asked for in smaller pages."""
        try:
            return await page.reading
        except ApiError as error:
            if self._asks_for_less(error, page.limit):
                return None
            raise DataSourceError(error.as_error(self.project)) from None

    def _asks_for_less(self, error: ApiError, limit: int) -> bool:
        if not error.too_large or limit == 1:
            return False
        self._limit = min(self._limit, limit // 2)
        self._ahead = 1
        return True

    def _adapt(self, limit: int, size: int) -> None:
        """Keeps the memory of the pages on their way within bounds, whatever the items' size."""
        if size > _PAGE_BYTES:
            self._limit = max(1, limit * _PAGE_BYTES // size)
        elif size < _PAGE_BYTES // 4:
            self._limit = min(MAX_PAGE, max(self._limit, limit * 2))
        self._ahead = max(1, min(_AHEAD, 2 * _PAGE_BYTES // max(size, 1)))

    async def _read(self, page: int, limit: int) -> Listing:
        """Reads one page, waiting outages out."""
        began, failures, listing = self._clock.monotonic(), 0, None
        while True:
            try:
                listing = await list_items(
                    self._api, self._name, version=self._version, page=page, limit=limit
                )
                break
            except ApiError as error:
                if not error.retryable or self._clock.monotonic() - began >= self._patience:
                    raise
                failures += 1
                if failures == 1:
                    logger.warning("a dataset's page has to wait: %s", error, extra={"dataset": self._name})
                await self._clock.sleep(self._api.pause(failures, error.retry_after))
        if listing is None:
            raise DataSourceError(
                Error(
                    reason=Reason.DATASET_NOT_FOUND,
                    message=f"Langfuse has no dataset named {self._name!r} any more.",
                    metadata={"dataset": self._name, "project": self.project},
                )
            )
        return listing

    def _changed(self) -> DataSourceError:
        return DataSourceError(
            Error(
                reason=Reason.LANGFUSE_REJECTED,
                message=f"The dataset {self._name!r} changed while it was read, and this Langfuse server keeps no "
                "versions of datasets; run the experiment again.",
                metadata={"dataset": self._name, "project": self.project},
            )
        )


async def _at_hand(listing: Listing) -> Listing:
    return listing


async def _drop(pages: deque[_Page], *others: _Page) -> None:
    """Cancels pages on their way, and waits until they are gone."""
    readings = [page.reading for page in (*pages, *others)]
    pages.clear()
    for reading in readings:
        reading.cancel()
    await asyncio.gather(*readings, return_exceptions=True)
