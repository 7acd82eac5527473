"""Records on their way to Langfuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from msgspec import Struct, field

from evalrpc_server.domain.scores import Delivered
from evalrpc_server.store.connection import Connection, insert_rows, placeholders
from evalrpc_server.store.port import OutboxCounts, OutboxRecord, QueuedRecord, RecordState
from evalrpc_server.store.tables.paging import fitting

_PER_STATEMENT = 500


class Settlement(Struct, frozen=True):
    """What became of records, by position."""

    accepted: Sequence[int] = ()
    rejected: Mapping[int, str] = field(default_factory=dict)


class Split(Struct, frozen=True):
    """A queued record, by position, and those that it holds."""

    position: int
    records: Sequence[OutboxRecord]


def insert(connection: Connection, records: Sequence[OutboxRecord]) -> None:
    """Queues records; those whose id is known already change nothing."""
    for experiment_id, group in groupby(records, key=lambda record: record.experiment_id):
        rows = [
            (
                record.id,
                experiment_id,
                record.project,
                record.kind,
                "queued",
                record.records,
                len(record.payload),
                record.payload,
                "",
            )
            for record in group
        ]
        ((before,),) = connection.query("SELECT COALESCE(MAX(position), 0) FROM outbox")
        inserted = insert_rows(
            connection,
            "outbox",
            "id, experiment_id, project, kind, state, records, characters, payload, error",
            rows,
            suffix="ON CONFLICT (id) DO NOTHING",
        )
        queued = sum(row[5] for row in rows)
        if inserted < len(rows):
            ((queued,),) = connection.query(
                "SELECT COALESCE(SUM(records), 0) FROM outbox WHERE position > ?", (before,)
            )
        connection.execute(
            "INSERT INTO outbox_counts (experiment_id, queued, accepted, rejected, last_error) VALUES (?, ?, 0, 0, '')"
            " ON CONFLICT (experiment_id) DO UPDATE SET queued = outbox_counts.queued + ?",
            (experiment_id, queued, queued),
        )


def split(connection: Connection, splits: Sequence[Split]) -> Sequence[None]:
    """Replaces queued records by those that they hold."""
    for one in splits:
        rows = connection.query(
            "SELECT experiment_id, records FROM outbox WHERE position = ? AND state = 'queued'",
            (one.position,),
        )
        for experiment_id, records in rows:
            connection.execute("DELETE FROM outbox WHERE position = ?", (one.position,))
            connection.execute(
                "UPDATE outbox_counts SET queued = queued - ? WHERE experiment_id = ?",
                (records, experiment_id),
            )
            insert(connection, one.records)
    return [None] * len(splits)


def add(connection: Connection, batches: Sequence[Sequence[OutboxRecord]]) -> Sequence[None]:
    """Queues records that come with no change to an experiment."""
    for records in batches:
        insert(connection, records)
    return [None] * len(batches)


def read(
    connection: Connection, project: str, kind: str, *, after: int, limit: int, characters: int
) -> Sequence[QueuedRecord]:
    """Returns a page of queued records of one kind behind a position."""
    condition = "project = ? AND kind = ? AND position > ? AND state = 'queued'"
    with connection.snapshot():
        measured = connection.query(
            f"SELECT position, characters FROM outbox WHERE {condition} ORDER BY position LIMIT ?",
            (project, kind, after, limit),
        )
        count = fitting(measured, characters)
        rows = connection.query(
            "SELECT position, id, experiment_id, payload, records FROM outbox"
            f" WHERE {condition} ORDER BY position LIMIT ?",
            (project, kind, after, count),
        )
    return [
        QueuedRecord(
            position=position,
            record=OutboxRecord(
                id=record_id,
                experiment_id=experiment_id,
                project=project,
                kind=kind,
                payload=payload,
                records=records,
            ),
        )
        for position, record_id, experiment_id, payload, records in rows
    ]


def end(connection: Connection) -> int:
    """Returns the newest record's position, or 0."""
    ((position,),) = connection.query("SELECT COALESCE(MAX(position), 0) FROM outbox")
    return int(position)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> Sequence[None]:
    """Marks queued records as accepted or rejected; others stay as they are."""
    for settlement in settlements:
        for start in range(0, len(settlement.accepted), _PER_STATEMENT):
            _accept(connection, settlement.accepted[start : start + _PER_STATEMENT])
        for position, error in settlement.rejected.items():
            _reject(connection, position, error)
    return [None] * len(settlements)


def _accept(connection: Connection, positions: Sequence[int]) -> None:
    condition = f"position IN ({placeholders(len(positions))}) AND state = 'queued'"
    accepted: Counter[str] = Counter()
    for experiment_id, records in connection.query(
        f"SELECT experiment_id, records FROM outbox WHERE {condition}", positions
    ):
        accepted[experiment_id] += records
    connection.execute(f"UPDATE outbox SET state = 'accepted', payload = '' WHERE {condition}", positions)
    for experiment_id, count in accepted.items():
        connection.execute(
            "UPDATE outbox_counts SET queued = queued - ?, accepted = accepted + ? WHERE experiment_id = ?",
            (count, count, experiment_id),
        )


def _reject(connection: Connection, position: int, error: str) -> None:
    rows = connection.query(
        "SELECT experiment_id, records FROM outbox WHERE position = ? AND state = 'queued'", (position,)
    )
    for experiment_id, records in rows:
        connection.execute(
            "UPDATE outbox SET state = 'rejected', error = ? WHERE position = ?", (error, position)
        )
        connection.execute(
            "UPDATE outbox_counts SET queued = queued - ?, rejected = rejected + ?, last_error = ?"
            " WHERE experiment_id = ?",
            (records, records, error, experiment_id),
        )


def counts(connection: Connection, experiment_id: str) -> OutboxCounts:
    """Returns what became of an experiment's records."""
    rows = connection.query(
        "SELECT queued, accepted, rejected, last_error FROM outbox_counts WHERE experiment_id = ?",
        (experiment_id,),
    )
    if not rows:
        return OutboxCounts()
    queued, accepted, rejected, last_error = rows[0]
    return OutboxCounts(queued=queued, accepted=accepted, rejected=rejected, last_error=last_error)


def states(connection: Connection, ids: Collection[str]) -> Mapping[str, RecordState]:
    """Returns what became of the records of these ids."""
    wanted, found = list(ids), dict[str, RecordState]()
    for start in range(0, len(wanted), _PER_STATEMENT):
        part = wanted[start : start + _PER_STATEMENT]
        rows = connection.query(
            f"SELECT id, state, error FROM outbox WHERE id IN ({placeholders(len(part))})", part
        )
        found |= {record_id: RecordState(Delivered(state), error) for record_id, state, error in rows}
    return found
