"""What every store does when the database fails, and how its statements find their rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import pytest

from evalrpc_server.domain.experiments import State
from evalrpc_server.store.connection import Connection, Row, Scalar
from evalrpc_server.store.migrations import Step, all_steps, migrate
from evalrpc_server.store.port import ResultOrder, Store, StoreError, StoreFullError
from evalrpc_server.store.sql import SqlStore
from evalrpc_server.store.tables import evaluators, events, experiments, items, outbox, results
from tests.store.backends import Backend
from tests.store.builders import (
    add_results,
    advance,
    create,
    make_evaluator,
    make_experiment,
    make_items,
    make_record,
    make_result,
)


def writer_of(store: Store) -> Connection:
    """The connection that the store writes with, idle between writes."""
    assert isinstance(store, SqlStore)
    return store._writer._connection


class FaultContract:
    async def test_a_full_database_stores_nothing_and_works_again_with_room(
        self, store: Store, backend: Backend
    ):
        experiment = await create(store, items=300)
        large = advance(
            experiment, [make_result(item, output='"' + "x" * 1000 + '"') for item in make_items(300)]
        )
        backend.fill_up(writer_of(store))
        for _ in range(2):
            with pytest.raises(StoreFullError):
                await store.commit(large)
            assert await store.get_experiment("e1") == experiment
            assert len(await store.read_events("e1", after=0, limit=10)) == 1
        backend.make_room(writer_of(store))
        await store.commit(large)
        assert await store.get_experiment("e1") == large.experiment

    async def test_a_read_only_database_stores_nothing_and_is_still_read(
        self, store: Store, backend: Backend
    ):
        experiment = await create(store)
        backend.forbid_writing(writer_of(store))
        with pytest.raises(StoreError):
            await store.commit(advance(experiment, [experiment]))
        assert await store.get_experiment("e1") == experiment

    async def test_a_migration_that_fails_leaves_the_schema_as_it_was(self, store: Store, backend: Backend):
        await create(store)
        await store.close()
        driver = backend.driver()
        driver.hold()
        connection = driver.connect_writer()
        newest = all_steps()[-1].version
        broken = [*all_steps(), Step(newest + 1, ["CREATE TABLE added (id TEXT)", "CREATE nonsense"])]
        with pytest.raises(StoreError):
            migrate(connection, driver, broken)
        with pytest.raises(StoreError):
            connection.query("SELECT * FROM added")
        good = [*all_steps(), Step(newest + 1, ["CREATE TABLE added (id TEXT)"])]
        migrate(connection, driver, good)
        migrate(connection, driver, good)
        assert connection.query("SELECT version FROM schema_version") == [(newest + 1,)]
        assert list(connection.query("SELECT * FROM added")) == []
        connection.close()
        driver.release()

    async def test_no_statement_reads_a_whole_table_or_sorts_one(self, store: Store, backend: Backend):
        """Every page is a walk along an index, so that it costs the same in a store of 100 rows and of a million."""
        experiment = await create(store, items=5000)
        for start in range(0, 5000, 1000):
            made = [make_result(item, failed=item.index % 10 == 0) for item in make_items(1000, first=start)]
            experiment = await add_results(store, experiment, made)
        for number in range(2, 300):
            await create(store, f"e{number}", items=1, name=f"name {number % 50}")
        await store.commit(
            advance(experiment, [experiment], outbox=[make_record(f"r{n}") for n in range(2000)])
        )
        await store.register_evaluator(make_evaluator())
        await store.close()

        driver = backend.driver()
        driver.hold()
        connection = _Explained(driver.connect_writer(), backend)
        run_every_statement(connection)
        connection.close()
        driver.release()
        assert len(connection.plans) > 40
        assert {sql: plan for sql, plan in connection.plans.items() if plan} == {}


def run_every_statement(connection: Connection) -> None:
    """Runs all statements of the store with values that find rows."""
    (experiment,) = [found for found in experiments.unfinished(connection) if found.id == "e1"]
    for cursor in ("", "100"):
        for states in ((), (State.RUNNING,), (State.PENDING, State.FAILED)):
            for name in ("", "capitals"):
                experiments.list_page(connection, limit=10, cursor=cursor, states=states, name=name)
    for order, cursor in ((ResultOrder.ITEM, "100.1"), (ResultOrder.COMPLETION, "100")):
        for failed_only in (False, True):
            results.read(
                connection,
                "e1",
                order=order,
                limit=50,
                cursor=cursor,
                failed_only=failed_only,
                characters=10**6,
            )
    results.finished_trials(connection, "e1", first=10, last=20)
    events.read(connection, "e1", after=0, limit=50, characters=10**6)
    items.read_items(connection, experiment.items, after=10, limit=10, characters=10**6)
    items.known_item_ids(connection, experiment.items, ["item-1", "item-2"])
    items.get_collection(connection, experiment.items)
    evaluators.list_page(connection, limit=10, cursor="", name="")
    evaluators.list_page(connection, limit=10, cursor="", name="accuracy")
    evaluators.get(connection, "accuracy", None)
    evaluators.get(connection, "accuracy", 1)
    queued = outbox.read(connection, "main", "score", after=5, limit=10, characters=10**6)
    outbox.counts(connection, "e1")

    connection.begin()
    again = make_experiment("new")
    change = experiments.Change.of(advance(again, [again], outbox=[make_record("new", "new")]))
    for _ in range(2):
        experiments.create(connection, [experiments.New(change, "request", "", make_items(2))])
    commit = advance(experiment, [make_result(make_items(1)[0], trial=2)])
    for _ in range(2):
        experiments.apply(connection, [experiments.Change.of(commit)])
    items.create_collections(connection, ["more"])
    items.append_items(connection, [items.Append("more", make_items(2), "", complete=False)])
    outbox.split(connection, [outbox.Split(queued[2].position, [make_record("part")])])
    outbox.settle(connection, [outbox.Settlement([queued[0].position], {queued[1].position: "refused"})])
    evaluators.register(connection, [make_evaluator(params={"n": 1})])
    evaluators.delete(connection, [("accuracy", 1), ("accuracy", None)])
    connection.commit()


class _Explained:
    """A connection that notes the wasteful steps in the plan of every statement before it runs it."""

    def __init__(self, connection: Connection, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend
        self.plans: dict[str, list[str]] = {}

    def execute(self, sql: str, parameters: Sequence[Scalar] = ()) -> int:
        self._explain(sql, parameters)
        return self._connection.execute(sql, parameters)

    def query(self, sql: str, parameters: Sequence[Scalar] = ()) -> Sequence[Row]:
        self._explain(sql, parameters)
        return self._connection.query(sql, parameters)

    def begin(self) -> None:
        self._connection.begin()

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def snapshot(self) -> AbstractContextManager[None]:
        return self._connection.snapshot()

    def close(self) -> None:
        self._connection.close()

    def _explain(self, sql: str, parameters: Sequence[Scalar]) -> None:
        self.plans[sql] = self._backend.plan(self._connection, sql, parameters)
