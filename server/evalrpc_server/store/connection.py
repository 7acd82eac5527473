"""The seam between the store's SQL and a database: what a backend has to bring.

The SQL of the store is written once, in the common part of SQLite's and PostgreSQL's, with `?` for parameters. A backend is
a `Driver` that makes `Connection`s; it turns every failure of its database into a `StoreError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from evalrpc_server.store.port import StoreError

Scalar: TypeAlias = str | int | float | None
"""What a column holds. Truth values are 0 and 1."""

Row: TypeAlias = tuple[Any, ...]
"""The columns of one row, in the order of the statement; their types are the schema's."""


class ConnectionLostError(StoreError):
    """The database closed the connection or went away. Nothing of an open transaction is stored."""


ATTEMPTS = 3
"""How often a batch or a read is tried when its connection is lost; an outage is waited for in connecting."""


class Connection(Protocol):
    """One session with the database, used by one thread at a time.

    Outside a transaction each statement is one of its own. All methods raise `StoreError`.
    """

    def execute(self, sql: str, parameters: Sequence[Scalar] = ()) -> int:
        """Runs a statement and returns how many rows it changed."""

    def query(self, sql: str, parameters: Sequence[Scalar] = ()) -> Sequence[Row]:
        """Runs a statement and returns all of its rows."""

    def begin(self) -> None:
        """Begins a transaction that writes, after connecting anew where the connection was lost.

        Raises:
            StoreBusyError: another server has taken the store meanwhile.
        """

    def commit(self) -> None:
        """Makes the transaction durable. An error means that nothing of it is stored."""

    def rollback(self) -> None:
        """Ends the transaction, if there is one, without a trace. Never raises."""

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction is still there; some failures end it."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Shows all statements within the same state of the database."""

    def close(self) -> None:
        """Ends the session."""


class Survey(Struct, frozen=True, kw_only=True):
    """What a look at a database shows, without changing anything.

    Attributes:
        kind: what database it is.
        place: where it is, without credentials.
        exists: whether there is anything yet; what is missing is made when a server opens the store.
        in_use: whether a server holds it now.
        free_bytes: room on its disk; None where that is not for us to see.
    """

    kind: str
    place: str
    exists: bool
    in_use: bool
    free_bytes: int | None = None


class Driver(Protocol):
    """A backend: how to hold and reach one database."""

    def survey(self) -> Survey:
        """Looks at the database.

        Raises:
            StoreError: it cannot be reached, or could not be made.
        """

    def hold(self) -> None:
        """Claims the database for this server.

        Raises:
            StoreBusyError: another server has it.
            StoreError: there is no such database and none can be made.
        """

    def connect_writer(self) -> Connection:
        """Opens the session of the writer; there is one at a time.

        Raises:
            StoreBusyError: another server holds the database.
            StoreError: the database cannot be reached.
        """

    def connect_reader(self) -> Connection:
        """Opens a session that only reads."""

    def translate_schema(self, sql: str) -> str:
        """Returns a schema statement, written for SQLite, in the words of this database."""

    def release(self) -> None:
        """Lets go of the database, after all connections are closed."""


_CHUNKS = (64, 16, 4, 1)
"""Rows per INSERT statement: few different statements, all of which stay prepared."""


@lru_cache(maxsize=64)
def _insert(table: str, columns: str, rows: int, suffix: str) -> str:
    row = f"({', '.join('?' * (columns.count(',') + 1))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)} {suffix}"


def insert_rows(
    connection: Connection, table: str, columns: str, rows: Sequence[Row], *, suffix: str = ""
) -> int:
    """Inserts rows with as few statements as will do and returns how many were inserted.

    Many rows share one statement because each step into the database lets go of Python's global lock, and getting it back
    from a busy event loop takes far longer than the row.

    Args:
        connection: where to.
        table: the table's name.
        columns: the columns' names, separated by commas.
        rows: the values, in the order of the columns.
        suffix: what stands behind the values, such as ON CONFLICT.
    """
    inserted = start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            inserted += connection.execute(_insert(table, columns, size, suffix), values)
            start += size
    return inserted


def placeholders(count: int) -> str:
    """Returns that many `?`, separated by commas."""
    return ", ".join("?" * count)
