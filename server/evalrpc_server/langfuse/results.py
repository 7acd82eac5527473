"""Results as traces need them: those that were just recorded are at hand, the others are read back from the store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import ExperimentStore

MAX_CHARACTERS = 8 * 1024 * 1024
MAX_RESULTS = 2_500

_PAGE = 250


class Results:
    """Results by the sequences of their events.

    Recent ones are kept, within bounds. While there is no room nothing is added: what is oldest is sent first, and what is not
    kept is in the store.

    Args:
        store: where all results are.
        characters: of text that may be kept.
        results: that may be kept.
    """

    def __init__(
        self, store: ExperimentStore, *, characters: int = MAX_CHARACTERS, results: int = MAX_RESULTS
    ) -> None:
        self._store = store
        self._kept: dict[tuple[str, int], tuple[ItemResult, int]] = {}
        self._room = characters
        self._most = results

    def keep(self, experiment_id: str, sequence: int, result: ItemResult) -> None:
        """Keeps a result, if there is room."""
        outcome = result.outcome
        size = result.item.size + len(outcome.output or "") + 1000
        if outcome.contexts:
            size += sum(len(context.text) for context in outcome.contexts)
        if size <= self._room and len(self._kept) < self._most:
            self._kept[experiment_id, sequence] = (result, size)
            self._room -= size

    async def take(
        self, experiment_id: str, sequences: Sequence[int]
    ) -> AsyncGenerator[tuple[int, ItemResult]]:
        """Yields results with their sequences, and keeps them no longer. Those that are gone are left out.

        Args:
            experiment_id: whose results.
            sequences: in ascending order.
        """
        missing: list[int] = []
        for sequence in sequences:
            kept = self._kept.pop((experiment_id, sequence), None)
            if kept is None:
                missing.append(sequence)
            else:
                self._room += kept[1]
                yield sequence, kept[0]
        if missing:
            async for found in self.read(experiment_id, missing):
                yield found

    async def read(
        self, experiment_id: str, sequences: Sequence[int]
    ) -> AsyncGenerator[tuple[int, ItemResult]]:
        """Yields results from the store; takes what `take` takes."""
        wanted, after = set(sequences), sequences[0] - 1
        while after < sequences[-1]:
            events = await self._store.read_events(
                experiment_id, after=after, limit=min(_PAGE, sequences[-1] - after)
            )
            if not events:
                return
            for event in events:
                if event.sequence in wanted and isinstance(event.body, ItemResult):
                    yield event.sequence, event.body
            after = events[-1].sequence
