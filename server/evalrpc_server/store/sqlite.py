"""SQLite: the embedded backend, one file in the data directory."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from evalrpc_server.store.connection import Row, Scalar, Survey
from evalrpc_server.store.port import StoreBusyError, StoreError, StoreFullError

FILE_NAME = "evalrpc.db"
"""The database's name in a data directory."""

_BUSY_TIMEOUT_SECONDS = 10.0
_WRITER_CACHE_KIB = 16 * 1024
_READER_CACHE_KIB = 2 * 1024


class SqliteDriver:
    """Holds one database file. A lock on the file beside it keeps a second server out for as long as this one lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def survey(self) -> Survey:
        """Looks at the file, its lock and its disk; see `Driver.survey`."""
        existing = next(path for path in (self._path.parent, *self._path.parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise StoreError(f"{existing} is no directory that this user may write to")
        return Survey(
            kind="SQLite",
            place=str(self._path),
            exists=self._path.exists(),
            in_use=self._is_locked(),
            free_bytes=shutil.disk_usage(existing).free,
        )

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self._lock_path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.lock")

    def hold(self) -> None:
        """Makes the directory where it is missing and locks the database; see `Driver.hold`."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"cannot use {self._path.parent} for the store: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreBusyError(f"another server uses {self._path}") from error
        self._lock = lock

    def connect_writer(self) -> SqliteConnection:
        """Opens the connection that writes."""
        connection = SqliteConnection(self._path, cache_kib=_WRITER_CACHE_KIB)
        try:
            if connection.query("PRAGMA journal_mode = WAL") != [("wal",)]:
                raise StoreError(
                    "the file system does not support SQLite's write-ahead log; use a local disk"
                )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except StoreError:
            connection.close()
            raise
        return connection

    def connect_reader(self) -> SqliteConnection:
        """Opens a connection that only reads."""
        connection = SqliteConnection(self._path, cache_kib=_READER_CACHE_KIB)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def translate_schema(self, sql: str) -> str:
        """Returns the statement as it is."""
        return sql

    def release(self) -> None:
        """Lets go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class SqliteConnection:
    """A `Connection` through the standard library's sqlite3."""

    def __init__(self, path: Path, *, cache_kib: int) -> None:
        try:
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _translate(error) from error
        self.execute(f"PRAGMA cache_size = -{cache_kib}")

    def execute(self, sql: str, parameters: Sequence[Scalar] = ()) -> int:
        """Runs a statement and returns how many rows it changed."""
        try:
            return self._connection.execute(sql, parameters).rowcount
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise _translate(error) from error

    def query(self, sql: str, parameters: Sequence[Scalar] = ()) -> Sequence[Row]:
        """Runs a statement and returns all of its rows."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise _translate(error) from error

    def begin(self) -> None:
        """Begins a transaction that writes."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Makes the transaction durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Ends the transaction, if there is one, without a trace."""
        with suppress(sqlite3.Error):
            self._connection.rollback()

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction is still there."""
        return self._connection.in_transaction

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Shows all statements within the same state of the database."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.rollback()

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()


def _translate(error: Exception) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError("the disk is full")
    if code == sqlite3.SQLITE_BUSY:
        return StoreError("another program has locked the database")
    if isinstance(error, UnicodeEncodeError):
        return StoreError("text with a lone surrogate cannot be stored")
    return StoreError(f"SQLite: {error}")
