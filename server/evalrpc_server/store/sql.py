"""The store over SQL: the port's methods, each a function of `tables` run by the writer's or a reader's thread."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.registered import RegisteredEvaluator
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.connection import Connection, Driver
from evalrpc_server.store.group_commit import GroupCommit
from evalrpc_server.store.migrations import all_steps, migrate
from evalrpc_server.store.port import (
    PAGE_CHARACTERS,
    Commit,
    Creation,
    EvaluatorPage,
    ExperimentPage,
    ItemCollection,
    OutboxCounts,
    OutboxRecord,
    QueuedRecord,
    RecordState,
    ResultOrder,
    ResultPage,
    ScorePage,
    StoreError,
)
from evalrpc_server.store.readers import Readers
from evalrpc_server.store.tables import evaluators, events, experiments, keys, outbox, results, scores
from evalrpc_server.store.tables import items as item_tables


class SqlStore:
    """A `Store` in any database that has a `Driver`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._opened: tuple[GroupCommit, Readers] | None = None

    async def open(self) -> None:
        """Connects, takes hold of the store, and brings its schema up to date; see `Store.open`."""
        connection = await asyncio.to_thread(self._prepare)
        self._opened = GroupCommit(connection), Readers(self._driver.connect_reader)

    async def close(self) -> None:
        """Finishes what was begun and lets go of the store."""
        if self._opened is not None:
            writer, readers = self._opened
            await writer.close()
            await readers.close()
            await asyncio.to_thread(self._driver.release)

    def _prepare(self) -> Connection:
        self._driver.hold()
        try:
            connection = self._driver.connect_writer()
            try:
                migrate(connection, self._driver, all_steps())
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._driver.release()
            raise
        return connection

    @property
    def _writer(self) -> GroupCommit:
        if self._opened is None:
            raise StoreError("the store is not open")
        return self._opened[0]

    @property
    def _readers(self) -> Readers:
        if self._opened is None:
            raise StoreError("the store is not open")
        return self._opened[1]

    # ------------------------------------------------------------------------------------ experiments

    async def create_experiment(
        self, commit: Commit, *, request_id: str = "", fingerprint: str = "", items: Sequence[Item] = ()
    ) -> Creation:
        """Stores a new experiment, unless its request id is taken."""
        new = experiments.New(experiments.Change.of(commit), request_id, fingerprint, items)
        return await self._writer.write(experiments.create, new, size=new.size)

    async def find_request(self, request_id: str, fingerprint: str) -> Creation | None:
        """Returns what an earlier request of that id created, or None."""
        return await self._readers.read(experiments.find_request, request_id, fingerprint)

    async def get_experiment(self, experiment_id: str) -> Experiment | None:
        """Returns an experiment, or None where there is none of that id."""
        return await self._readers.read(experiments.get, experiment_id)

    async def list_experiments(
        self, *, limit: int, cursor: str = "", states: Collection[State] = (), name: str = ""
    ) -> ExperimentPage:
        """Returns a page of experiments, newest first."""
        return await self._readers.read(
            experiments.list_page, limit=limit, cursor=cursor, states=states, name=name
        )

    async def unfinished_experiments(self) -> Sequence[Experiment]:
        """Returns all experiments whose state is not final, oldest first."""
        return await self._readers.read(experiments.unfinished)

    async def commit(self, commit: Commit) -> None:
        """Makes changes to an experiment durable, all or none."""
        change = experiments.Change.of(commit)
        await self._writer.write(experiments.apply, change, size=change.size)

    async def read_events(
        self, experiment_id: str, *, after: int, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[Event]:
        """Returns the events behind a sequence, in order."""
        return await self._readers.read(
            events.read, experiment_id, after=after, limit=limit, characters=characters
        )

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
        """Returns a page of results."""
        return await self._readers.read(
            results.read,
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
        """Returns a page of what was said of the results."""
        return await self._readers.read(
            scores.read,
            experiment_id,
            limit=limit,
            cursor=cursor,
            cluster_by=cluster_by,
            characters=characters,
        )

    async def first_results(
        self, experiment_id: str, indexes: Sequence[int], *, characters: int = PAGE_CHARACTERS
    ) -> Sequence[ItemResult]:
        """Returns the results of the first trials of items."""
        return await self._readers.read(scores.first_results, experiment_id, indexes, characters=characters)

    async def finished_trials(
        self, experiment_id: str, *, first: int, last: int
    ) -> Collection[tuple[int, int]]:
        """Returns the (item index, trial) pairs that have a result, for a range of items."""
        return await self._readers.read(results.finished_trials, experiment_id, first=first, last=last)

    # ------------------------------------------------------------------------------------------ items

    async def create_collection(self, collection_id: str) -> None:
        """Makes an empty, incomplete collection; does nothing where it exists."""
        await self._writer.write(item_tables.create_collections, collection_id)

    async def append_items(
        self, collection_id: str, items: Sequence[Item], *, cursor: str = "", complete: bool = False
    ) -> None:
        """Adds items to a collection."""
        append = item_tables.Append(collection_id, items, cursor, complete)
        await self._writer.write(item_tables.append_items, append, size=append.size)

    async def known_item_ids(self, collection_id: str, ids: Collection[str]) -> Collection[str]:
        """Returns those of the ids that the collection has already."""
        return await self._readers.read(item_tables.known_item_ids, collection_id, ids)

    async def get_collection(self, collection_id: str) -> ItemCollection | None:
        """Returns a collection, or None where there is none of that id."""
        return await self._readers.read(item_tables.get_collection, collection_id)

    async def abandoned_collections(self) -> Collection[str]:
        """Returns the ids of incomplete collections that belong to no experiment."""
        return await self._readers.read(item_tables.abandoned)

    async def discard_collection(self, collection_id: str) -> None:
        """Removes a collection that belongs to no experiment, and its items, a part at a time."""
        while await self._writer.write(item_tables.discard_parts, collection_id):
            pass

    async def read_items(
        self, collection_id: str, *, after: int, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[Item]:
        """Returns the items behind an index, in order."""
        return await self._readers.read(
            item_tables.read_items, collection_id, after=after, limit=limit, characters=characters
        )

    # ------------------------------------------------------------------------------------- evaluators

    async def register_evaluator(self, evaluator: RegisteredEvaluator) -> RegisteredEvaluator:
        """Stores the next version of a name, unless the newest is the same."""
        return await self._writer.write(evaluators.register, evaluator)

    async def get_evaluator(self, name: str, version: int | None = None) -> RegisteredEvaluator | None:
        """Returns a version, by default the newest, or None where there is none."""
        return await self._readers.read(evaluators.get, name, version)

    async def list_evaluators(self, *, limit: int, cursor: str = "", name: str = "") -> EvaluatorPage:
        """Returns a page: the newest version of each name, or all versions of one name."""
        return await self._readers.read(evaluators.list_page, limit=limit, cursor=cursor, name=name)

    async def delete_evaluator(self, name: str, version: int | None = None) -> int:
        """Deletes a version, or all of a name, and returns how many."""
        return await self._writer.write(evaluators.delete, (name, version))

    # ----------------------------------------------------------------------------------------- outbox

    async def add_outbox(self, records: Sequence[OutboxRecord]) -> None:
        """Stores records that come with no change to an experiment."""
        await self._writer.write(outbox.add, records, size=sum(len(record.payload) for record in records))

    async def split_outbox(self, position: int, records: Sequence[OutboxRecord]) -> None:
        """Replaces a queued record by those that it holds."""
        await self._writer.write(outbox.split, outbox.Split(position, records))

    async def read_outbox(
        self, project: str, kind: str, *, after: int = 0, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[QueuedRecord]:
        """Returns queued records of one kind of a project behind a position, oldest first."""
        return await self._readers.read(
            outbox.read, project, kind, after=after, limit=limit, characters=characters
        )

    async def outbox_end(self) -> int:
        """Returns the position of the newest record, settled or not; 0 where there was none yet."""
        return await self._readers.read(outbox.end)

    async def settle_outbox(
        self, *, accepted: Collection[int] = (), rejected: Mapping[int, str] | None = None
    ) -> None:
        """Marks records by position as accepted or rejected."""
        await self._writer.write(outbox.settle, outbox.Settlement(tuple(accepted), rejected or {}))

    async def outbox_counts(self, experiment_id: str) -> OutboxCounts:
        """Returns what became of an experiment's records."""
        return await self._readers.read(outbox.counts, experiment_id)

    async def outbox_states(self, ids: Collection[str]) -> Mapping[str, RecordState]:
        """Returns what became of the records of these ids; unknown ids are left out."""
        return await self._readers.read(outbox.states, ids)

    # ------------------------------------------------------------------------------------------- keys

    async def ensure_key(self, name: str) -> bytes:
        """Returns the 32 random bytes kept under a name, made when they are first asked for."""
        return await self._writer.write(keys.ensure, (name, secrets.token_bytes(32)), size=len(name))
