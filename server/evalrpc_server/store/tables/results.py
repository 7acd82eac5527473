"""The results of an experiment: the events of its log that have an item."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from msgspec import Struct

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store import codec
from evalrpc_server.store.connection import Connection
from evalrpc_server.store.port import ResultOrder, ResultPage
from evalrpc_server.store.tables import events
from evalrpc_server.store.tables.paging import fitting, parse_cursor


class _Order(Struct, frozen=True):
    """How results are ordered: the columns, a cursor before the first, and what tells results from other events."""

    columns: tuple[str, ...]
    start: tuple[int, ...]
    condition: str = ""

    @property
    def key(self) -> str:
        return ", ".join(f"e.{column}" for column in self.columns)

    def compared(self, operator: str) -> str:
        """Returns the condition that compares the key with parameters."""
        return f"({self.key}) {operator} ({', '.join('?' * len(self.columns))})"


_ORDERS: Mapping[ResultOrder, _Order] = {
    ResultOrder.ITEM: _Order(("item_index", "trial"), (0, 0)),
    ResultOrder.COMPLETION: _Order(("sequence",), (0,), f"AND e.kind = '{codec.RESULT}'"),
}


def read(
    connection: Connection,
    experiment_id: str,
    *,
    order: ResultOrder,
    limit: int,
    cursor: str,
    failed_only: bool,
    characters: int,
) -> ResultPage:
    """Returns a page of results; see `ExperimentStore.read_results`."""
    ordered = _ORDERS[order]
    after = parse_cursor(cursor, ordered.start)
    chosen = f"{ordered.condition} {'AND e.failed = 1' if failed_only else ''}"
    with connection.snapshot():
        measured = connection.query(
            f"SELECT {ordered.key}, e.characters FROM events e"
            f" WHERE e.experiment_id = ? {chosen} AND {ordered.compared('>')}"
            f" ORDER BY {ordered.key} LIMIT ?",
            (experiment_id, *after, limit + 1),
        )
        count = min(fitting(measured, characters), limit)
        if not count:
            return ResultPage(results=[], next_cursor="")
        last = measured[count - 1][:-1]
        rows = connection.query(
            f"{events.SELECT} {chosen} AND {ordered.compared('>')} AND {ordered.compared('<=')}"
            f" ORDER BY {ordered.key}",
            (events.collection_of(connection, experiment_id), experiment_id, *after, *last),
        )
    return ResultPage(
        results=[cast(ItemResult, events.from_row(row).body) for row in rows],
        next_cursor=".".join(map(str, last)) if count < len(measured) else "",
    )


def finished_trials(
    connection: Connection, experiment_id: str, *, first: int, last: int
) -> Collection[tuple[int, int]]:
    """Returns the (item index, trial) pairs that have a result, within a range of items."""
    rows = connection.query(
        "SELECT item_index, trial FROM events WHERE experiment_id = ? AND item_index >= ? AND item_index <= ?",
        (experiment_id, first, last),
    )
    return set(rows)
