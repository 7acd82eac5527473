"""Results that were just recorded, kept for their traces, so that few are read back from the store."""

from __future__ import annotations

from evalrpc_server.domain.results import ItemResult

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_RESULTS = 10_000


class RecentResults:
    """A bounded cache. While it is full nothing is added: what is oldest is sent first, and what is missing is in the store."""

    def __init__(self, *, characters: int = MAX_CHARACTERS, results: int = MAX_RESULTS) -> None:
        self._results: dict[tuple[str, int], tuple[ItemResult, int]] = {}
        self._room = characters
        self._most = results

    def add(self, experiment_id: str, sequence: int, result: ItemResult) -> None:
        """Keeps a result by the sequence of its event, if there is room."""
        outcome = result.outcome
        size = result.item.size + len(outcome.output or "") + 1000
        if outcome.contexts:
            size += sum(len(context.text) for context in outcome.contexts)
        if size <= self._room and len(self._results) < self._most:
            self._results[experiment_id, sequence] = (result, size)
            self._room -= size

    def take(self, experiment_id: str, sequence: int) -> ItemResult | None:
        """Returns a result and forgets it; None where it is not kept."""
        found = self._results.pop((experiment_id, sequence), None)
        if found is None:
            return None
        self._room += found[1]
        return found[0]
