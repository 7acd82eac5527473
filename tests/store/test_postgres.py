"""PostgreSQL: the contract, and what only a database behind a connection has."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import psycopg
import pytest

from evalrpc_server.store import postgres as backend_module
from evalrpc_server.store.connection import ConnectionLostError, Scalar
from evalrpc_server.store.port import Store, StoreBusyError, StoreError
from evalrpc_server.store.postgres import PostgresConnection
from evalrpc_server.store.registry import open_store
from tests.store.backends import PostgresBackend
from tests.store.builders import advance, create
from tests.store.contract import StoreContract
from tests.store.contract.log import all_events, chain
from tests.store.postgres_server import PostgresServer


@pytest.fixture
def backend(postgres: PostgresServer) -> PostgresBackend:
    return PostgresBackend(postgres, f"t_{uuid.uuid4().hex}")


@pytest.fixture
async def store(backend: PostgresBackend) -> AsyncIterator[Store]:
    store = open_store(backend.url)
    await store.open()
    yield store
    await store.close()


class TestPostgres(StoreContract):
    pass


def end_sessions(backend: PostgresBackend) -> None:
    """Ends all sessions in the schema's database but this one, as an administrator or a restart does."""
    with psycopg.connect(backend.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'evalrpc' AND pid <> pg_backend_pid()"
        )


async def test_writes_and_reads_go_on_after_the_sessions_were_ended(store: Store, backend: PostgresBackend):
    experiment = await create(store, items=40)
    commits = chain(experiment, 40)
    for commit in commits[:20]:
        await store.commit(commit)
        end_sessions(backend)
        assert await store.get_experiment("e1") == commit.experiment
    await asyncio.gather(*(store.commit(commit) for commit in commits[20:]))
    assert [event.sequence for event in await all_events(store)] == list(range(1, 42))


async def test_sessions_ended_at_any_moment_of_a_commit_lose_and_repeat_nothing(
    store: Store, backend: PostgresBackend
):
    experiment = await create(store, items=100)
    for commit in chain(experiment, 100):
        await asyncio.gather(store.commit(commit), asyncio.to_thread(end_sessions, backend))
    assert [event.sequence for event in await all_events(store)] == list(range(1, 102))


class LostAtCommit:
    """Loses the writer's connection once, at its next COMMIT, before or after the database has carried it out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, carried_out: bool) -> None:
        self.lost = 0
        original = PostgresConnection.execute

        def execute(connection: PostgresConnection, sql: str, parameters: Sequence[Scalar] = ()) -> int:
            if sql != "COMMIT" or self.lost:
                return original(connection, sql, parameters)
            self.lost += 1
            if carried_out:
                original(connection, sql)
            connection.close()
            raise ConnectionLostError("lost")

        monkeypatch.setattr(PostgresConnection, "execute", execute)


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_connection_lost_at_a_commit_leaves_no_doubt(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, carried_out: bool
):
    experiment = await create(store)
    loss = LostAtCommit(monkeypatch, carried_out=carried_out)
    commit = advance(experiment, [experiment])
    await store.commit(commit)
    assert loss.lost == 1
    assert (await all_events(store))[1:] == list(commit.events)
    assert await store.get_experiment("e1") == commit.experiment


async def test_a_restart_of_the_database_is_waited_for_and_a_long_outage_reported(
    monkeypatch: pytest.MonkeyPatch,
):
    server = PostgresServer()
    store: Store | None = None
    try:
        server.start()
        backend = PostgresBackend(server, "outage")
        store = open_store(backend.url)
        await store.open()
        experiment = await create(store)
        commit = advance(experiment, [experiment])

        server.stop("immediate")
        writing = asyncio.create_task(store.commit(commit))
        reading = asyncio.create_task(store.get_experiment("e1"))
        await asyncio.to_thread(server.start)
        await writing
        assert await reading in [experiment, commit.experiment]

        monkeypatch.setattr(backend_module, "RECONNECT_SECONDS", 0.2)
        server.stop("immediate")
        again = advance(commit.experiment, [commit.experiment])
        with pytest.raises(StoreError):
            await store.commit(again)
        with pytest.raises(StoreError):
            await store.get_experiment("e1")
        await asyncio.to_thread(server.start)
        await store.commit(again)
        assert len(await all_events(store)) == 3
    finally:
        if store is not None:
            await store.close()
        server.remove()


async def test_a_store_that_another_server_took_meanwhile_is_given_up(
    store: Store, backend: PostgresBackend, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backend_module, "RECONNECT_SECONDS", 0.2)
    experiment = await create(store)
    other = open_store(backend.url)
    end_sessions(backend)
    await other.open()
    taken = await create(other, "e2")
    for _ in range(2):
        with pytest.raises(StoreBusyError):
            await store.commit(advance(experiment, [experiment]))
    assert await other.get_experiment("e2") == taken
    await other.close()
    with pytest.raises(StoreBusyError):
        await store.commit(advance(experiment, [experiment]))


async def test_a_database_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: object):
    monkeypatch.setattr(backend_module, "RECONNECT_SECONDS", 0.1)
    with pytest.raises(StoreError, match="PostgreSQL"):
        await open_store(f"postgresql://user:hidden@/db?host={tmp_path}").open()


def test_a_malformed_url_is_refused_without_quoting_it():
    with pytest.raises(StoreError) as refused:
        open_store("postgresql://user:hidden@host:port/db?nonsense=1")
    assert "hidden" not in str(refused.value)
