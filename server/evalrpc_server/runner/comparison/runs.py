"""Runs to look at: experiments of the store, and runs that are recorded elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import takewhile
from typing import Protocol

from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.shown import Shown
from evalrpc_server.domain.spec.verdicts import LangfuseRun
from evalrpc_server.domain.statistics.scores import Reduced, TrialScores, by_item
from evalrpc_server.domain.statistics.trials import Reducers
from evalrpc_server.store.port import ExperimentStore

_PAGE = 2000
_PAGE_CHARACTERS = 4 * 1024 * 1024


class OpenRun(Protocol):
    """A run whose scores can be read."""

    @property
    def name(self) -> str:
        """The experiment's id, or the run's name."""

    def scores(self, cluster_by: str) -> AsyncGenerator[Sequence[TrialScores]]:
        """Yields the scores of items in their order, all trials of an item together.

        Raises:
            RequestError: they cannot be read.
        """

    async def shown(self, reduced: Reduced, places: Sequence[int], *, characters: int) -> Sequence[Shown]:
        """Returns the items at these places of what was read; fewer where they have more characters.

        Raises:
            RequestError: they cannot be read.
        """


class RecordedRuns(Protocol):
    """Runs that are recorded outside of the store."""

    async def open(self, run: LangfuseRun, *, path: str) -> OpenRun:
        """Finds a run; `path` is where it stands in the request, for violations.

        Raises:
            RequestError: there is no such run, or it cannot be asked for.
        """

    def check(self, run: LangfuseRun, *, path: str) -> None:
        """Checks, without asking anybody, that a run can be asked for.

        Raises:
            RequestError: the configuration has no such project.
        """


class StoredRun:
    """An experiment of the store."""

    def __init__(self, store: ExperimentStore, experiment: Experiment) -> None:
        self._store = store
        self.experiment = experiment

    @property
    def name(self) -> str:
        """The experiment's id."""
        return self.experiment.id

    async def scores(self, cluster_by: str) -> AsyncGenerator[Sequence[TrialScores]]:
        """Reads page by page; an item that goes on on the next page waits for it."""
        cursor, begun = "", list[TrialScores]()
        while True:
            page = await self._store.read_scores(
                self.experiment.id,
                limit=_PAGE,
                cursor=cursor,
                cluster_by=cluster_by,
                characters=_PAGE_CHARACTERS,
            )
            trials = [*begun, *page.trials]
            cursor = page.next_cursor
            if not cursor:
                if trials:
                    yield trials
                return
            end = len(trials) - sum(1 for _ in takewhile(partial(_same_item, trials[-1]), reversed(trials)))
            begun = trials[end:]
            if end:
                yield trials[:end]

    async def shown(self, reduced: Reduced, places: Sequence[int], *, characters: int) -> Sequence[Shown]:
        """Reads the items' first results."""
        indexes = [reduced.indexes[place] for place in places]
        results = await self._store.first_results(self.experiment.id, indexes, characters=characters)
        return [Shown(result.item, result.outcome.output) for result in results]


def _same_item(one: TrialScores, other: TrialScores) -> bool:
    return one.item_index == other.item_index


async def load(run: OpenRun, reducers: Reducers, cluster_by: str) -> Reduced:
    """Reads a run's scores and reduces its trials, in a thread, so that the event loop is free meanwhile.

    Raises:
        RequestError: the run cannot be read.
    """
    reduced = Reduced(reducers)

    def add(trials: Sequence[TrialScores]) -> None:
        for item in by_item(trials):
            reduced.add(item)

    async with aclosing(run.scores(cluster_by)) as pages:
        async for trials in pages:
            await asyncio.to_thread(add, trials)
    return reduced
