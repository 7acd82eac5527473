"""The backends by URL scheme. A new one is a file with its `Driver` and a line in `_BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from evalrpc_server.store.connection import Driver
from evalrpc_server.store.port import Store, StoreError
from evalrpc_server.store.sql import SqlStore
from evalrpc_server.store.sqlite import FILE_NAME, SqliteDriver


def _sqlite(url: str) -> Driver:
    path = unquote(urlsplit(url).path)
    if not path or path.endswith("/") or urlsplit(url).netloc:
        raise StoreError(
            "an SQLite store is named by an absolute path, as in sqlite:///var/lib/evalrpc/store.db"
        )
    return SqliteDriver(Path(path))


def _postgres(url: str) -> Driver:
    try:
        from evalrpc_server.store.postgres import PostgresDriver
    except ImportError as error:
        raise StoreError(
            "a PostgreSQL store needs the extra: pip install 'evalrpc-server[postgres]'"
        ) from error
    return PostgresDriver(url)


_BACKENDS: Mapping[str, Callable[[str], Driver]] = {
    "sqlite": _sqlite,
    "postgres": _postgres,
    "postgresql": _postgres,
}


def open_store(where: str | Path) -> Store:
    """Returns the store that a URL or a data directory names; it is not opened yet.

    Args:
        where: `sqlite:///absolute/path.db`, `postgresql://user@host/database`, or a directory for an SQLite store.

    Raises:
        StoreError: the URL is malformed or of an unknown scheme, or the backend is not installed.
    """
    return SqlStore(open_driver(where))


def open_driver(where: str | Path) -> Driver:
    """Returns what reaches the database that a URL or a data directory names.

    Raises:
        StoreError: as `open_store`.
    """
    scheme, separator, _ = str(where).partition("://")
    if not separator:
        return SqliteDriver(Path(where).absolute() / FILE_NAME)
    if scheme not in _BACKENDS:
        raise StoreError(f"no store for {scheme}://; there are {', '.join(_BACKENDS)}")
    return _BACKENDS[scheme](str(where))
