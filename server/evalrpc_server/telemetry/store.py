"""The experiment store as the runner sees it: everything that experiments do passes here, so here it is measured."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import (
    PAGE_CHARACTERS,
    Commit,
    Creation,
    ExperimentPage,
    ExperimentStore,
    ResultOrder,
    ResultPage,
    ScorePage,
)
from evalrpc_server.telemetry.experiments import ExperimentMetrics


class MeasuredExperiments(ExperimentStore):
    """An experiment store of which the commits are measured; everything else passes through."""

    def __init__(self, store: ExperimentStore, metrics: ExperimentMetrics) -> None:
        self._store = store
        self._metrics = metrics

    async def create_experiment(
        self, commit: Commit, *, request_id: str = "", fingerprint: str = "", items: Sequence[Item] = ()
    ) -> Creation:
        """Creates; a new experiment is counted."""
        creation = await self._store.create_experiment(
            commit, request_id=request_id, fingerprint=fingerprint, items=items
        )
        if creation.created:
            self._metrics.found(creation.experiment)
        return creation

    async def find_request(self, request_id: str, fingerprint: str) -> Creation | None:
        """Passes on."""
        return await self._store.find_request(request_id, fingerprint)

    async def get_experiment(self, experiment_id: str) -> Experiment | None:
        """Passes through."""
        return await self._store.get_experiment(experiment_id)

    async def list_experiments(
        self, *, limit: int, cursor: str = "", states: Collection[State] = (), name: str = ""
    ) -> ExperimentPage:
        """Passes through."""
        return await self._store.list_experiments(limit=limit, cursor=cursor, states=states, name=name)

    async def unfinished_experiments(self) -> Sequence[Experiment]:
        """Lists; what it finds is counted."""
        unfinished = await self._store.unfinished_experiments()
        for experiment in unfinished:
            self._metrics.found(experiment)
        return unfinished

    async def commit(self, commit: Commit) -> None:
        """Commits; what it holds is counted, and how long it took."""
        begin = time.perf_counter()
        await self._store.commit(commit)
        self._metrics.committed(commit, time.perf_counter() - begin)

    async def read_events(
        self, experiment_id: str, *, after: int, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[Event]:
        """Passes through."""
        return await self._store.read_events(experiment_id, after=after, limit=limit, characters=characters)

    async def read_results(
        self,
        experiment_id: str,
        *,
        order: ResultOrder = ResultOrder.ITEM,
        limit: int,
        cursor: str = "",
        failed_only: bool = False,
        characters: int = PAGE_CHARACTERS,
    ) -> ResultPage:
        """Passes through."""
        return await self._store.read_results(
            experiment_id,
            order=order,
            limit=limit,
            cursor=cursor,
            failed_only=failed_only,
            characters=characters,
        )

    async def read_scores(
        self,
        experiment_id: str,
        *,
        limit: int,
        cursor: str = "",
        cluster_by: str = "",
        characters: int = PAGE_CHARACTERS,
    ) -> ScorePage:
        """Passes through."""
        return await self._store.read_scores(
            experiment_id, limit=limit, cursor=cursor, cluster_by=cluster_by, characters=characters
        )

    async def first_results(
        self, experiment_id: str, indexes: Sequence[int], *, characters: int = PAGE_CHARACTERS
    ) -> Sequence[ItemResult]:
        """Passes through."""
        return await self._store.first_results(experiment_id, indexes, characters=characters)

    async def finished_trials(
        self, experiment_id: str, *, first: int, last: int
    ) -> Collection[tuple[int, int]]:
        """Passes through."""
        return await self._store.finished_trials(experiment_id, first=first, last=last)
