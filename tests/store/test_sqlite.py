"""SQLite: the contract, and what only an embedded database has."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from evalrpc_server.domain.experiments import State
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import StoreError
from evalrpc_server.store.registry import open_store
from tests.store.backends import SqliteBackend
from tests.store.builders import (
    advance,
    create,
    make_evaluator,
    make_experiment,
    make_items,
    make_record,
    make_result,
    make_spec,
)
from tests.store.contract import StoreContract
from tests.store.contract.log import all_events

VERSION_1 = Path(__file__).parent / "data" / "version_1.sql"


class TestSqlite(StoreContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> SqliteBackend:
        return SqliteBackend(tmp_path)


async def test_a_data_directory_is_made_and_keeps_the_store(tmp_path: Path):
    directory = tmp_path / "new" / "data"
    for _ in range(2):
        store = open_store(directory)
        await store.open()
        if await store.get_experiment("e1") is None:
            await create(store)
        await store.close()
    assert sorted(path.name for path in directory.iterdir()) == ["evalrpc.db", "evalrpc.db.lock"]


async def test_a_place_that_is_no_directory_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use"):
        await open_store(tmp_path / "file" / "data").open()


async def test_a_file_that_is_no_database_is_refused_and_not_locked(tmp_path: Path):
    (tmp_path / "evalrpc.db").write_text("no database " * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            await open_store(tmp_path).open()


async def test_a_database_file_of_version_1_is_brought_up_to_date(tmp_path: Path):
    """The dump was written by the first schema; it says what was stored with the builders as they were then."""
    connection = sqlite3.connect(tmp_path / "evalrpc.db")
    connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.close()
    store = open_store(tmp_path)
    await store.open()

    experiment = await store.get_experiment("e1")
    assert experiment is not None
    assert (experiment.state, experiment.sequence, experiment.spec) == (State.RUNNING, 4, make_spec())
    assert experiment.summaries["exact"].mean == 1.0
    items = make_items(2)
    events = await all_events(store)
    results = [event.body for event in events if isinstance(event.body, ItemResult)]
    assert results == [make_result(items[1]), make_result(items[0], failed=True)]
    assert list(await store.read_items(experiment.items, after=-1, limit=10)) == items
    assert [entry.record for entry in await store.read_outbox("main", "score", limit=10)] == [
        make_record("b")
    ]
    assert (await store.outbox_counts("e1")).accepted == 1
    evaluator = await store.get_evaluator("accuracy")
    assert evaluator is not None
    assert (evaluator.version, evaluator.spec) == (2, make_evaluator(params={"n": 2}).spec)
    assert (await store.register_evaluator(make_evaluator(params={"n": 3}))).version == 3
    repeated = make_experiment("e2")
    joined = await store.create_experiment(
        advance(repeated, [repeated]), request_id="request", fingerprint="fingerprint"
    )
    assert (joined.created, joined.same_content, joined.experiment) == (False, True, experiment)
    await store.close()
