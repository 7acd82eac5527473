"""Experiments: creating, changing, finding them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from msgspec import Struct

from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.store import codec
from evalrpc_server.store.connection import Connection, Row, Scalar, placeholders
from evalrpc_server.store.port import PAGE_CHARACTERS, Commit, Creation, ExperimentPage, StoreError
from evalrpc_server.store.tables import events, items, outbox
from evalrpc_server.store.tables.events import EventRows
from evalrpc_server.store.tables.paging import fitting, parse_cursor

_SELECT = "SELECT e.snapshot, s.spec, e.position FROM experiments e JOIN specs s ON s.experiment_id = e.id"
_NEWEST = 2**63 - 1


class Change(Struct, frozen=True):
    """A commit whose events are ready to be inserted."""

    commit: Commit
    rows: EventRows

    @classmethod
    def of(cls, commit: Commit) -> Change:
        """Prepares a commit.

        Raises:
            StoreError: its sequences have gaps or do not end with the experiment's.
        """
        sequence = commit.experiment.sequence
        first = sequence - len(commit.events) + 1
        if any(event.sequence != expected for expected, event in enumerate(commit.events, first)):
            raise StoreError("the events' sequences have gaps or do not end with the experiment's")
        return cls(commit, events.encode(commit.experiment.id, commit.events))

    @property
    def size(self) -> int:
        """Characters that it takes, about."""
        return self.rows.characters + sum(len(record.payload) for record in self.commit.outbox)

    @property
    def before(self) -> int:
        """The sequence that the experiment has before this change."""
        return self.commit.experiment.sequence - len(self.commit.events)


class New(Struct, frozen=True):
    """A new experiment with its first events and its own items."""

    change: Change
    request_id: str
    fingerprint: str
    items: Sequence[Item]

    @property
    def size(self) -> int:
        """Characters that it takes, about."""
        return self.change.size + sum(item.size for item in self.items)


def create(connection: Connection, experiments: Sequence[New]) -> Sequence[Creation]:
    """Stores experiments, each unless its request id is taken; see `ExperimentStore.create_experiment`."""
    return [_create(connection, new) for new in experiments]


def _create(connection: Connection, new: New) -> Creation:
    experiment = new.change.commit.experiment
    if new.request_id and (joined := find_request(connection, new.request_id, new.fingerprint)):
        return joined
    if new.change.before:
        raise StoreError("a new experiment's events begin at 1")
    connection.execute(
        "INSERT INTO experiments (id, request_id, fingerprint, name, state, items, sequence, snapshot)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            experiment.id,
            new.request_id or None,
            new.fingerprint,
            experiment.spec.name,
            experiment.state.value,
            experiment.items,
            experiment.sequence,
            codec.encode_experiment(experiment),
        ),
    )
    spec = codec.encode_model(experiment.spec)
    connection.execute(
        "INSERT INTO specs (experiment_id, characters, spec) VALUES (?, ?, ?)",
        (experiment.id, len(spec), spec),
    )
    if new.items:
        items.create_collections(connection, [experiment.items])
        items.append_items(connection, [items.Append(experiment.items, new.items, "", complete=True)])
    events.insert(connection, [new.change.rows])
    outbox.insert(connection, new.change.commit.outbox)
    return Creation(experiment=experiment, created=True)


def find_request(connection: Connection, request_id: str, fingerprint: str) -> Creation | None:
    """Returns what an earlier request of that id created, or None."""
    rows = connection.query("SELECT id, fingerprint FROM experiments WHERE request_id = ?", (request_id,))
    if rows and (existing := get(connection, rows[0][0])):
        return Creation(experiment=existing, created=False, same_content=rows[0][1] == fingerprint)
    return None


def apply(connection: Connection, changes: Sequence[Change]) -> Sequence[None]:
    """Makes changes to experiments; of several to one experiment only the last snapshot is written.

    A change that is stored already, because its first attempt succeeded and its caller could not be told, is left as it is.
    """
    by_experiment = sorted(changes, key=lambda change: change.commit.experiment.id)
    for _, group in groupby(by_experiment, key=lambda change: change.commit.experiment.id):
        if not _advance(connection, list(group)):
            if len(changes) == 1 and _is_stored(connection, changes[0]):
                return [None]
            raise StoreError("the experiment does not exist or its log does not end where the events go on")
    events.insert(connection, [change.rows for change in changes])
    outbox.insert(connection, [record for change in changes for record in change.commit.outbox])
    return [None] * len(changes)


def _advance(connection: Connection, changes: Sequence[Change]) -> bool:
    """Writes the state of one experiment after its changes; returns False where its log ends elsewhere."""
    for earlier, later in pairwise(changes):
        if later.before != earlier.commit.experiment.sequence:
            raise StoreError("the events do not go on where the experiment's log ends")
    experiment = changes[-1].commit.experiment
    changed = connection.execute(
        "UPDATE experiments SET state = ?, sequence = ?, snapshot = ? WHERE id = ? AND sequence = ?",
        (
            experiment.state.value,
            experiment.sequence,
            codec.encode_experiment(experiment),
            experiment.id,
            changes[0].before,
        ),
    )
    if not changed:
        return False
    if any(change.commit.respecified for change in changes):
        spec = codec.encode_model(experiment.spec)
        connection.execute(
            "UPDATE specs SET characters = ?, spec = ? WHERE experiment_id = ?",
            (len(spec), spec, experiment.id),
        )
    last_item = max(change.rows.last_item for change in changes)
    if last_item >= 0 and not connection.query(
        "SELECT 1 FROM experiments e JOIN collections c ON c.id = e.items WHERE e.id = ? AND c.count > ?",
        (experiment.id, last_item),
    ):
        raise StoreError("a result's item is not stored")
    return True


def _is_stored(connection: Connection, change: Change) -> bool:
    """Returns whether the log ends with exactly these events."""
    experiment = change.commit.experiment
    rows = connection.query("SELECT snapshot FROM experiments WHERE id = ?", (experiment.id,))
    return (
        bool(change.rows.rows)
        and rows == [(codec.encode_experiment(experiment),)]
        and events.end_with(connection, change.rows)
    )


def get(connection: Connection, experiment_id: str) -> Experiment | None:
    """Returns an experiment, or None."""
    rows = connection.query(f"{_SELECT} WHERE e.id = ?", (experiment_id,))
    return _experiment(rows[0]) if rows else None


def unfinished(connection: Connection) -> Sequence[Experiment]:
    """Returns the experiments whose state is not final, oldest first."""
    with connection.snapshot():
        rows = [
            row
            for state in State
            if not state.final
            for row in connection.query(f"{_SELECT} WHERE e.state = ?", (state.value,))
        ]
    return [_experiment(row) for row in sorted(rows, key=itemgetter(2))]


def list_page(
    connection: Connection, *, limit: int, cursor: str, states: Collection[State], name: str
) -> ExperimentPage:
    """Returns a page of experiments, newest first."""
    (before,) = parse_cursor(cursor, (_NEWEST,))
    condition, parameters = "e.position < ?", list[Scalar]([before])
    if name:
        condition, parameters = f"e.name = ? AND {condition}", [name, *parameters]
    with connection.snapshot():
        if states:
            # A query per state walks its index and stops early, where one for all would sort every match.
            measured = [
                row
                for state in set(states)
                for row in _measure(
                    connection, f"e.state = ? AND {condition}", [state.value, *parameters], limit
                )
            ]
            measured = sorted(measured, reverse=True)[: limit + 1]
        else:
            measured = _measure(connection, condition, parameters, limit)
        positions = [row[0] for row in measured[: min(fitting(measured, PAGE_CHARACTERS), limit)]]
        if not positions:
            return ExperimentPage(experiments=[], next_cursor="")
        rows = connection.query(
            f"{_SELECT} WHERE e.position IN ({placeholders(len(positions))}) ORDER BY e.position DESC",
            positions,
        )
    return ExperimentPage(
        experiments=[_experiment(row) for row in rows],
        next_cursor=str(positions[-1]) if len(positions) < len(measured) else "",
    )


def _measure(connection: Connection, condition: str, parameters: Sequence[Scalar], limit: int) -> list[Row]:
    """Returns position and size of the newest experiments, one more than the limit."""
    return list(
        connection.query(
            "SELECT e.position, s.characters FROM experiments e JOIN specs s ON s.experiment_id = e.id"
            f" WHERE {condition} ORDER BY e.position DESC LIMIT ?",
            (*parameters, limit + 1),
        )
    )


def _experiment(row: Row) -> Experiment:
    return codec.decode_experiment(row[0], codec.decode_model(ExperimentSpec, row[1]))
