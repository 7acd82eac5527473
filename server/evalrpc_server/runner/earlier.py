"""The results of an earlier experiment, beside the trials of the one that looks at it again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.second_look import Origin
from evalrpc_server.runner.stored import StoredResults
from evalrpc_server.store.port import ExperimentStore


class EarlierResults:
    """What an experiment looks at again: the results of its origin, which has ended."""

    def __init__(self, origin: Origin, store: ExperimentStore) -> None:
        self.origin = origin
        self._results = StoredResults(store, origin.experiment_id)

    @asynccontextmanager
    async def walk(self) -> AsyncIterator[Walk]:
        """Begins with the first result."""
        async with aclosing(self._results.chunks()) as chunks:
            yield Walk(chunks)


class Walk:
    """Goes along the results once, in the order of the data; a page is held at a time."""

    def __init__(self, chunks: AsyncIterator[Sequence[ItemResult]]) -> None:
        self._chunks = chunks
        self._chunk: Sequence[ItemResult] = ()
        self._position = 0

    async def find(self, item_index: int, trial: int) -> ItemResult | None:
        """Returns the result of a trial, or None; trials are to be asked for in the order of the data."""
        while (result := await self._current()) is not None:
            place = (result.item.index, result.trial)
            if place > (item_index, trial):
                return None
            self._position += 1
            if place == (item_index, trial):
                return result
        return None

    async def _current(self) -> ItemResult | None:
        while self._position >= len(self._chunk):
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            self._chunk, self._position = chunk, 0
        return self._chunk[self._position]
