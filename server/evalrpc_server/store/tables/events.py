"""The log of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.store import codec
from evalrpc_server.store.connection import Connection, Row, insert_rows
from evalrpc_server.store.tables.items import item_from_row
from evalrpc_server.store.tables.paging import fitting

_COLUMNS = "experiment_id, sequence, kind, item_index, trial, failed, characters, payload"
SELECT = (
    "SELECT e.sequence, e.kind, e.payload,"
    " i.item_index, i.item_id, i.dataset_item_id, i.input, i.expected_output, i.metadata"
    " FROM events e LEFT JOIN items i ON i.collection = ? AND i.item_index = e.item_index"
    " WHERE e.experiment_id = ?"
)
"""Events with their items, for `from_row`; parameters: the collection of items, the experiment's id."""


class EventRows(Struct, frozen=True):
    """Events of one experiment as rows.

    Attributes:
        rows: the columns of the table.
        characters: text in them, and in the items that they will be read with.
        last_item: the highest index of an item with a result here, -1 where there is none.
    """

    rows: Sequence[Row]
    characters: int
    last_item: int


def encode(experiment_id: str, events: Sequence[Event]) -> EventRows:
    """Makes the rows of events."""
    rows: list[Row] = []
    total, last_item = 0, -1
    for event in events:
        kind, payload = codec.encode_event(event)
        characters = len(payload)
        index = trial = None
        failed = 0
        if isinstance(event.body, ItemResult):
            result = event.body
            index, trial, failed = result.item.index, result.trial, int(result.failed)
            characters += result.item.size
            last_item = max(last_item, index)
        rows.append((experiment_id, event.sequence, kind, index, trial, failed, characters, payload))
        total += characters
    return EventRows(rows, total, last_item)


def insert(connection: Connection, groups: Sequence[EventRows]) -> None:
    """Adds events to the log; a second result of a trial is refused."""
    insert_rows(connection, "events", _COLUMNS, [row for group in groups for row in group.rows])


def end_with(connection: Connection, events: EventRows) -> bool:
    """Returns whether these events of one experiment are the last in its log."""
    experiment_id, first, *_ = events.rows[0]
    stored = connection.query(
        f"SELECT {_COLUMNS} FROM events WHERE experiment_id = ? AND sequence >= ? ORDER BY sequence",
        (experiment_id, first),
    )
    return list(stored) == list(events.rows)


def read(
    connection: Connection, experiment_id: str, *, after: int, limit: int, characters: int
) -> Sequence[Event]:
    """Returns a page of events behind a sequence."""
    measured = connection.query(
        "SELECT sequence, kind, characters FROM events WHERE experiment_id = ? AND sequence > ?"
        " ORDER BY sequence LIMIT ?",
        (experiment_id, after, limit),
    )
    measured = measured[: fitting(measured, characters)]
    if not measured:
        return []
    has_state = any(kind == codec.EXPERIMENT for _, kind, _ in measured)
    spec = _spec_of(connection, experiment_id) if has_state else None
    rows = connection.query(
        f"{SELECT} AND e.sequence > ? AND e.sequence <= ? ORDER BY e.sequence",
        (collection_of(connection, experiment_id), experiment_id, after, measured[-1][0]),
    )
    return [from_row(row, spec) for row in rows]


def collection_of(connection: Connection, experiment_id: str) -> str:
    """Returns the collection that an experiment's items are in; empty where there is no such experiment."""
    rows = connection.query("SELECT items FROM experiments WHERE id = ?", (experiment_id,))
    return rows[0][0] if rows else ""


def from_row(row: Row, spec: ExperimentSpec | None = None) -> Event:
    """Reads the columns of `SELECT`; a change of state needs the experiment's spec."""
    sequence, kind, payload, *item = row
    return codec.decode_event(
        sequence, kind, payload, item=None if item[0] is None else item_from_row(tuple(item)), spec=spec
    )


def _spec_of(connection: Connection, experiment_id: str) -> ExperimentSpec:
    rows = connection.query("SELECT spec FROM specs WHERE experiment_id = ?", (experiment_id,))
    return codec.decode_model(ExperimentSpec, rows[0][0])
