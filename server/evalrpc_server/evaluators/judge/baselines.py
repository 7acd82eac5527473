"""The outputs of an earlier experiment, to compare with, found by the items' ids."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from evalrpc_server.domain.documents import Document
from evalrpc_server.store.port import ExperimentStore

_PAGE = 200
_PAGES_KEPT = 4


class Baseline:
    """Looks up outputs of one experiment. It keeps the ids of all its items, and the outputs of a few pages of them."""

    def __init__(self, experiment_id: str, store: ExperimentStore) -> None:
        self._id = experiment_id
        self._store = store
        self._page_of: dict[str, str] | None = None
        self._pages: OrderedDict[str, Mapping[str, Document]] = OrderedDict()
        self._reading = asyncio.Lock()

    async def output(self, item_id: str) -> Document | None:
        """Returns the output of the item's first trial that gave one; None where there is none."""
        async with self._reading:
            if self._page_of is None:
                self._page_of = await self._read_all()
            cursor = self._page_of.get(item_id)
            if cursor is None:
                return None
            if cursor not in self._pages:
                await self._read(cursor)
            self._pages.move_to_end(cursor)
            return self._pages[cursor].get(item_id)

    async def _read_all(self) -> dict[str, str]:
        places: dict[str, str] = {}
        cursor = ""
        while True:
            following = await self._read(cursor)
            for item_id in self._pages[cursor]:
                places.setdefault(item_id, cursor)
            if not following:
                return places
            cursor = following

    async def _read(self, cursor: str) -> str:
        """Reads a page and returns the cursor of the next one; empty after the last."""
        page = await self._store.read_results(self._id, limit=_PAGE, cursor=cursor)
        outputs: dict[str, Document] = {}
        for result in page.results:
            if result.outcome.output is not None:
                outputs.setdefault(result.item.id, result.outcome.output)
        self._pages[cursor] = outputs
        while len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)
        return page.next_cursor
