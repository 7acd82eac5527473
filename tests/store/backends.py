"""The databases under test, as the contract needs them: where they are, and how to make trouble in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import psycopg

from evalrpc_server.store.connection import Connection, Driver, Scalar
from evalrpc_server.store.postgres import PostgresDriver
from evalrpc_server.store.sqlite import SqliteDriver
from tests.store.postgres_server import PostgresServer


class Backend(Protocol):
    """One empty database and its troubles."""

    url: str

    def driver(self) -> Driver:
        """Returns a driver of the database, beside the store's own."""

    def fill_up(self, writer: Connection) -> None:
        """Lets the database run out of room."""

    def make_room(self, writer: Connection) -> None:
        """Undoes `fill_up`."""

    def forbid_writing(self, writer: Connection) -> None:
        """Makes the database read-only for the writer."""

    @contextmanager
    def writes_waiting(self) -> Iterator[None]:
        """Lets all writes wait while the block runs."""

    def execute(self, sql: str) -> None:
        """Runs a statement in a session of its own."""

    def plan(self, connection: Connection, sql: str, parameters: Sequence[Scalar]) -> list[str]:
        """Returns those steps of a statement's plan that read or sort more rows than the statement needs."""


class SqliteBackend:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.db"
        self.url = f"sqlite://{self.path}"

    def driver(self) -> Driver:
        return SqliteDriver(self.path)

    def fill_up(self, writer: Connection) -> None:
        pages = writer.query("PRAGMA page_count")[0][0]
        writer.query(f"PRAGMA max_page_count = {pages}")

    def make_room(self, writer: Connection) -> None:
        writer.query("PRAGMA max_page_count = 1000000")

    def forbid_writing(self, writer: Connection) -> None:
        writer.execute("PRAGMA query_only = ON")

    @contextmanager
    def writes_waiting(self) -> Iterator[None]:
        with self._session() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def execute(self, sql: str) -> None:
        with self._session() as connection:
            connection.execute(sql)

    def plan(self, connection: Connection, sql: str, parameters: Sequence[Scalar]) -> list[str]:
        steps = [row[3] for row in connection.query(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        return [
            step
            for step in steps
            if "TEMP B-TREE" in step or (step.startswith("SCAN") and "CONSTANT ROW" not in step)
        ]

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


class PostgresBackend:
    def __init__(self, server: PostgresServer, schema: str) -> None:
        self.url = server.new_schema(schema)

    def driver(self) -> Driver:
        return PostgresDriver(self.url)

    def fill_up(self, writer: Connection) -> None:
        """PostgreSQL reports a full disk by SQLSTATE 53100; so does this trigger."""
        writer.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        writer.execute("CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION no_room()")

    def make_room(self, writer: Connection) -> None:
        writer.execute("DROP TRIGGER full_disk ON events")

    def forbid_writing(self, writer: Connection) -> None:
        writer.execute("SET default_transaction_read_only = on")

    @contextmanager
    def writes_waiting(self) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE experiments IN EXCLUSIVE MODE")
            yield

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def plan(self, connection: Connection, sql: str, parameters: Sequence[Scalar]) -> list[str]:
        literals = [sql_literal(value) for value in parameters]
        sql = "".join(part for pair in zip_longest(sql.split("?"), literals, fillvalue="") for part in pair)
        steps = [row[0] for row in connection.query(f"EXPLAIN {sql}")]
        return [step for step in steps if "Seq Scan" in step or "Sort " in step]


def sql_literal(value: Scalar) -> str:
    """Writes a value into a statement, as EXPLAIN takes no parameters."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
