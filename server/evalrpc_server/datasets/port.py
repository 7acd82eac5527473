"""The data source port: where the items of an experiment come from, when not from the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.items import Item


class ItemPage(Struct, frozen=True, kw_only=True):
    """Items in a row, and where the source goes on behind them.

    Attributes:
        items: with indexes that go on from the page before.
        cursor: opaque; handed back after a restart.
        last: whether the data ends here.
    """

    items: Sequence[Item]
    cursor: str
    last: bool


class DataSourceError(Exception):
    """The data cannot be read; the experiment fails with this error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class DataSource(Protocol):
    """Data that is fetched while the experiment runs already."""

    def pages(self, *, cursor: str, first_index: int) -> AsyncIterator[ItemPage]:
        """Yields the data page by page, from the beginning or behind a cursor.

        Raises:
            DataSourceError: it cannot be read.
        """

    async def aclose(self) -> None:
        """Releases what the source holds."""
