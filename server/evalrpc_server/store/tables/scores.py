"""The scores of an experiment, without the documents that its results hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.statistics.scores import TrialScores
from evalrpc_server.store import codec
from evalrpc_server.store.connection import Connection, Row
from evalrpc_server.store.port import ScorePage
from evalrpc_server.store.tables import events
from evalrpc_server.store.tables.paging import fitting, parse_cursor

_KEY = "e.item_index, e.trial"
_START = (0, 0)


def read(
    connection: Connection,
    experiment_id: str,
    *,
    limit: int,
    cursor: str,
    cluster_by: str,
    characters: int,
) -> ScorePage:
    """Returns a page of scores; see `ExperimentStore.read_scores`."""
    after = parse_cursor(cursor, _START)
    metadata = "i.metadata" if cluster_by else "NULL"
    with connection.snapshot():
        measured = connection.query(
            f"SELECT {_KEY}, e.characters FROM events e"
            f" WHERE e.experiment_id = ? AND ({_KEY}) > (?, ?) ORDER BY {_KEY} LIMIT ?",
            (experiment_id, *after, limit + 1),
        )
        count = min(fitting(measured, characters), limit)
        if not count:
            return ScorePage(trials=[], next_cursor="")
        last = measured[count - 1][:-1]
        rows = connection.query(
            f"SELECT {_KEY}, e.failed, e.payload, i.item_id, i.dataset_item_id, {metadata}"
            " FROM events e JOIN items i ON i.collection = ? AND i.item_index = e.item_index"
            f" WHERE e.experiment_id = ? AND ({_KEY}) > (?, ?) AND ({_KEY}) <= (?, ?) ORDER BY {_KEY}",
            (events.collection_of(connection, experiment_id), experiment_id, *after, *last),
        )
    path = cluster_by.split(".") if cluster_by else []
    return ScorePage(
        trials=[_trial(row, path) for row in rows],
        next_cursor=".".join(map(str, last)) if count < len(measured) else "",
    )


def first_results(
    connection: Connection, experiment_id: str, indexes: Sequence[int], *, characters: int
) -> Sequence[ItemResult]:
    """Returns the first trials of items; see `ExperimentStore.first_results`."""
    found: list[ItemResult] = []
    left = characters
    with connection.snapshot():
        collection = events.collection_of(connection, experiment_id)
        for index in indexes:
            rows = connection.query(
                f"{events.SELECT} AND e.item_index = ? ORDER BY e.trial LIMIT 1",
                (collection, experiment_id, index),
            )
            for row in rows:
                result = events.from_row(row).body
                assert isinstance(result, ItemResult), "only results have an item"
                left -= result.size
                if left < 0 and found:
                    return found
                found.append(result)
    return found


def _trial(row: Row, path: Sequence[str]) -> TrialScores:
    index, trial, failed, payload, item_id, dataset_item_id, metadata = row
    identity = dataset_item_id or item_id
    return TrialScores(
        index,
        identity,
        trial,
        bool(failed),
        codec.decode_scores(payload),
        _cluster(metadata, path, identity) if path else None,
    )


def _cluster(metadata: str | None, path: Sequence[str], item_id: str) -> str:
    """Returns what stands at a path of an item's metadata, as JSON; an item where nothing stands is alone."""
    found: JsonValue | Any = msgspec.json.decode(metadata) if metadata else None
    for member in path:
        found = found.get(member) if isinstance(found, dict) else None
    return f"item {item_id}" if found is None else msgspec.json.encode(found).decode()
