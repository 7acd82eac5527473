"""The stored results of an experiment, for those who look at all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from msgspec import Struct

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import ExperimentStore

_PAGE = 500


class StoredResults(Struct, frozen=True):
    """All results of an experiment in item order and in chunks. Each iteration begins with the first."""

    store: ExperimentStore
    experiment_id: str

    def __aiter__(self) -> AsyncIterator[Sequence[ItemResult]]:
        """Begins with the first chunk."""
        return self.chunks()

    async def chunks(self) -> AsyncGenerator[Sequence[ItemResult]]:
        """Reads page by page."""
        cursor = ""
        while True:
            page = await self.store.read_results(self.experiment_id, limit=_PAGE, cursor=cursor)
            if page.results:
                yield page.results
            if not page.next_cursor:
                return
            cursor = page.next_cursor
