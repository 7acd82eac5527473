"""PostgreSQL (13 or newer): the backend for a database that is looked after elsewhere.

One server holds the database's schema at a time, by an advisory lock of the session that writes: a session that lost its
lock cannot commit, because it is gone too. The URL must lead to the database itself or to a pooler that keeps sessions.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from evalrpc_server.store.connection import ConnectionLostError, Row, Scalar, Survey
from evalrpc_server.store.port import StoreBusyError, StoreError, StoreFullError

RECONNECT_SECONDS = 10.0
"""How long a lost connection is tried for before the store reports the failure."""

_OLDEST_VERSION = 130000
_OPEN_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_CONNECT_OPTIONS = {
    "application_name": "evalrpc",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""So that a server that is gone without a word is noticed within half a minute; the URL's own options win."""

_LOCK_CLASS, _LOCK_SCHEMA = "1702261356", "coalesce(hashtext(current_schema()), 0)"
"""The keys of the advisory lock; the first is "evrl" in ASCII."""

_LOCK_IS_HELD = f"""
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = {_LOCK_CLASS} AND objid = ({_LOCK_SCHEMA}::bigint & 4294967295)::oid
)"""
"""Looked up and not tried, as a lock that is taken to see whether it is free is in the way of a server that starts."""

_WALK_INDEXES = tuple(
    f"SET enable_{method} = off"
    for method in ("seqscan", "bitmapscan", "sort", "material", "hashjoin", "mergejoin")
)
"""Every page here is a walk along an index that stops early, which the planner does not see before it has statistics."""

_TYPES = {
    "INTEGER PRIMARY KEY": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "BIGINT",
    "TEXT": 'TEXT COLLATE "C"',
}
_TYPE = re.compile("|".join(_TYPES))
_DISK_FULL = "53100"  # SQLSTATE


class PostgresDriver:
    """Reaches one schema of one database."""

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise StoreError("the store's URL is not one that PostgreSQL understands") from None
        self._url = make_conninfo(url, **{k: v for k, v in _CONNECT_OPTIONS.items() if k not in given})
        self._holder = uuid.uuid4().hex

    def survey(self) -> Survey:
        """Looks at the database's schema and its lock; see `Driver.survey`."""
        session = self.connect_reader()
        try:
            ((exists,),) = session.query("SELECT to_regclass('schema_version') IS NOT NULL")
            ((held,),) = session.query(_LOCK_IS_HELD)
        finally:
            session.close()
        given = conninfo_to_dict(self._url)
        host, database = given.get("host") or "localhost", given.get("dbname") or ""
        return Survey(kind="PostgreSQL", place=f"{host}/{database}", exists=bool(exists), in_use=bool(held))

    def hold(self) -> None:
        """Does nothing: the writer's session holds the lock."""

    def connect_writer(self) -> PostgresWriter:
        """Opens the session that writes and takes the lock."""
        return PostgresWriter(self._url, self._holder)

    def connect_reader(self) -> PostgresConnection:
        """Opens a session that only reads."""
        return PostgresConnection(self._url, "SET default_transaction_read_only = on", *_WALK_INDEXES)

    def translate_schema(self, sql: str) -> str:
        """Returns the statement with PostgreSQL's types; text is ordered by code points, as in SQLite."""
        return _TYPE.sub(lambda match: _TYPES[match[0]], sql)

    def release(self) -> None:
        """Does nothing: the lock ended with the writer's session."""


class PostgresConnection:
    """A `Connection` through psycopg."""

    def __init__(self, url: str, *settings: str) -> None:
        self._url = url
        self._settings = settings
        self._session = self._connect()

    def execute(self, sql: str, parameters: Sequence[Scalar] = ()) -> int:
        """Runs a statement and returns how many rows it changed."""
        return self._run(sql, parameters).rowcount

    def query(self, sql: str, parameters: Sequence[Scalar] = ()) -> Sequence[Row]:
        """Runs a statement and returns all of its rows."""
        return self._run(sql, parameters).fetchall()

    def begin(self) -> None:
        """Begins a transaction."""
        self.execute("BEGIN")

    def commit(self) -> None:
        """Makes the transaction durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Ends the transaction, if there is one, without a trace."""
        try:
            self._session.rollback()
        except psycopg.Error:
            self._session.close()

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction is still there."""
        return self._session.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Shows all statements within the same state of the database."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            yield
        finally:
            self.rollback()

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def _connect(self) -> psycopg.Connection[Row]:
        """Connects, trying again while the database does not answer."""
        for last in _attempts(RECONNECT_SECONDS):
            try:
                return self._prepared(psycopg.connect(self._url, autocommit=True))
            except psycopg.Error as error:
                if last or not isinstance(error, psycopg.OperationalError):
                    raise _translate(error) from error
        raise AssertionError("the last attempt returns or raises")

    def _prepared(self, session: psycopg.Connection[Row]) -> psycopg.Connection[Row]:
        # One type for all integers, so that a statement is prepared once and not once per mixture of widths.
        session.adapters.register_dumper(int, Int8Dumper)
        session.adapters.register_dumper(int, Int8BinaryDumper)
        for setting in self._settings:
            session.execute(setting.encode())
        return session

    def _run(self, sql: str, parameters: Sequence[Scalar]) -> psycopg.Cursor[Row]:
        try:
            return self._session.execute(_translate_parameters(sql), parameters)
        except psycopg.Error as error:
            if self._session.closed:
                raise ConnectionLostError(_message(error)) from error
            raise _translate(error) from error
        except UnicodeEncodeError as error:
            raise StoreError("text with a lone surrogate cannot be stored") from error


class PostgresWriter(PostgresConnection):
    """The session that writes, and that holds the lock for as long as it lives."""

    def __init__(self, url: str, holder: str) -> None:
        self._holder = holder
        self._taken = ""
        self._transaction = ""
        super().__init__(url, "SET synchronous_commit = on", *_WALK_INDEXES)
        if self._session.info.server_version < _OLDEST_VERSION:
            self._session.close()
            raise StoreError("PostgreSQL 13 or newer is needed")
        self._take_lock(_OPEN_SECONDS)
        self.execute("CREATE TABLE IF NOT EXISTS store_holder (id BIGINT PRIMARY KEY, holder TEXT NOT NULL)")
        self.execute(
            "INSERT INTO store_holder (id, holder) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET holder = ?",
            (holder, holder),
        )

    def close(self) -> None:
        """Gives the lock back and ends the session, whose end alone the database takes a moment to notice."""
        with suppress(psycopg.Error):
            self._session.execute("SELECT pg_advisory_unlock_all()")
        super().close()

    def begin(self) -> None:
        """Begins a transaction, after connecting and taking the lock anew where the connection was lost."""
        if self._taken:
            raise StoreBusyError(self._taken)
        if self._session.closed:
            self._reconnect()
        self.execute("BEGIN")
        self._transaction = str(self.query("SELECT pg_current_xact_id()::text")[0][0])

    def commit(self) -> None:
        """Makes the transaction durable; where the connection is lost meanwhile, asks what became of it."""
        try:
            self.execute("COMMIT")
        except ConnectionLostError:
            self._reconnect()
            if self.query("SELECT pg_xact_status(?::text::xid8)", (self._transaction,))[0][0] != "committed":
                raise

    def _reconnect(self) -> None:
        self._session = self._connect()
        self._take_lock(RECONNECT_SECONDS)
        if self.query("SELECT holder FROM store_holder") != [(self._holder,)]:
            self._give_up("another server has taken the store while the database was out of reach")

    def _take_lock(self, seconds: float) -> None:
        """Takes the lock; the database may need a moment to notice that an earlier holder is gone."""
        for last in _attempts(seconds):
            if self.query(f"SELECT pg_try_advisory_lock({_LOCK_CLASS}, {_LOCK_SCHEMA})")[0][0]:
                return
            if last:
                self._give_up("another server holds the store's schema in this database")

    def _give_up(self, message: str) -> NoReturn:
        self._taken = message
        self._session.close()
        raise StoreBusyError(message)


def _attempts(seconds: float) -> Iterator[bool]:
    """Yields at once and then after growing pauses, for about so many seconds; True marks the last attempt."""
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while time.monotonic() + pause < deadline:
        yield False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    yield True


@lru_cache(maxsize=512)
def _translate_parameters(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


def _translate(error: psycopg.Error) -> StoreError:
    if error.sqlstate == _DISK_FULL:
        return StoreFullError(_message(error))
    return StoreError(_message(error))


def _message(error: psycopg.Error) -> str:
    """Describes an error without its DETAIL line, which quotes values."""
    first_line, _, _ = str(error).partition("\n")
    return f"PostgreSQL: {error.diag.message_primary or first_line}"
