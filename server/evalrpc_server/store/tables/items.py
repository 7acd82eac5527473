"""Collections of items."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from evalrpc_server.domain.items import Item
from evalrpc_server.store.connection import Connection, Row, insert_rows, placeholders
from evalrpc_server.store.port import ItemCollection, StoreError
from evalrpc_server.store.tables.paging import fitting

ITEM_COLUMNS = "item_index, item_id, dataset_item_id, input, expected_output, metadata"
"""What `item_from_row` reads."""

_IDS_PER_QUERY = 500
_ITEMS_PER_DISCARD = 2_000
_UNUSED = "NOT EXISTS (SELECT 1 FROM experiments e WHERE e.items = collections.id)"


class Append(Struct, frozen=True):
    """Items to be added to a collection, and how it goes on."""

    collection_id: str
    items: Sequence[Item]
    cursor: str
    complete: bool

    @property
    def size(self) -> int:
        """Characters that it takes, about."""
        return sum(item.size for item in self.items)


def create_collections(connection: Connection, ids: Sequence[str]) -> Sequence[None]:
    """Makes empty, incomplete collections where there are none."""
    for collection_id in ids:
        connection.execute(
            "INSERT INTO collections (id, count, characters, complete, cursor) VALUES (?, 0, 0, 0, '')"
            " ON CONFLICT (id) DO NOTHING",
            (collection_id,),
        )
    return [None] * len(ids)


def append_items(connection: Connection, appends: Sequence[Append]) -> Sequence[None]:
    """Adds items to collections; see `ItemStore.append_items`."""
    for append in appends:
        first = append.items[0].index if append.items else None
        if any(item.index != index for index, item in enumerate(append.items, first or 0)):
            raise StoreError("the items' indexes have gaps")
        changed = connection.execute(
            "UPDATE collections SET count = count + ?, characters = characters + ?, complete = ?, cursor = ?"
            f" WHERE id = ? AND complete = 0 {'' if first is None else 'AND count = ?'}",
            (
                len(append.items),
                append.size,
                int(append.complete),
                append.cursor,
                append.collection_id,
                *(() if first is None else (first,)),
            ),
        )
        if not changed:
            raise StoreError(
                "the collection does not exist, is complete, or does not end where the items go on"
            )
        insert_items(connection, append.collection_id, append.items)
    return [None] * len(appends)


def abandoned(connection: Connection) -> Collection[str]:
    """Returns the ids of incomplete collections that belong to no experiment."""
    return [
        row[0] for row in connection.query(f"SELECT id FROM collections WHERE complete = 0 AND {_UNUSED}")
    ]


def discard_parts(connection: Connection, ids: Sequence[str]) -> Sequence[bool]:
    """Removes a bounded part of each collection that belongs to no experiment; returns for which there is more to do."""
    return [_discard_part(connection, collection_id) for collection_id in ids]


def _discard_part(connection: Connection, collection_id: str) -> bool:
    for (count,) in connection.query(
        f"SELECT count FROM collections WHERE id = ? AND {_UNUSED}", (collection_id,)
    ):
        left = max(0, int(count) - _ITEMS_PER_DISCARD)
        connection.execute(
            "DELETE FROM items WHERE collection = ? AND item_index >= ?", (collection_id, left)
        )
        if left:
            connection.execute(
                "UPDATE collections SET count = ?, complete = 0 WHERE id = ?", (left, collection_id)
            )
        else:
            connection.execute("DELETE FROM collections WHERE id = ?", (collection_id,))
        return left > 0
    return False


def insert_items(connection: Connection, collection_id: str, items: Sequence[Item]) -> None:
    """Inserts the rows of items."""
    rows = [
        (
            collection_id,
            item.index,
            item.id,
            item.dataset_item_id,
            item.input,
            item.expected_output,
            item.metadata,
            item.size,
        )
        for item in items
    ]
    insert_rows(connection, "items", f"collection, {ITEM_COLUMNS}, characters", rows)


def known_item_ids(connection: Connection, collection_id: str, ids: Collection[str]) -> Collection[str]:
    """Returns those of the ids that the collection has."""
    wanted, known = list(ids), set[str]()
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        some = wanted[start : start + _IDS_PER_QUERY]
        rows = connection.query(
            f"SELECT item_id FROM items WHERE collection = ? AND item_id IN ({placeholders(len(some))})",
            (collection_id, *some),
        )
        known.update(row[0] for row in rows)
    return known


def get_collection(connection: Connection, collection_id: str) -> ItemCollection | None:
    """Returns a collection, or None."""
    rows = connection.query(
        "SELECT count, characters, complete, cursor FROM collections WHERE id = ?", (collection_id,)
    )
    for count, characters, complete, cursor in rows:
        return ItemCollection(
            id=collection_id,
            count=count,
            characters=characters,
            complete=bool(complete),
            cursor=cursor,
        )
    return None


def read_items(
    connection: Connection, collection_id: str, *, after: int, limit: int, characters: int
) -> Sequence[Item]:
    """Returns a page of items behind an index."""
    measured = connection.query(
        "SELECT item_index, characters FROM items WHERE collection = ? AND item_index > ?"
        " ORDER BY item_index LIMIT ?",
        (collection_id, after, limit),
    )
    if not measured:
        return []
    last = measured[fitting(measured, characters) - 1][0]
    rows = connection.query(
        f"SELECT {ITEM_COLUMNS} FROM items WHERE collection = ? AND item_index > ? AND item_index <= ?"
        " ORDER BY item_index",
        (collection_id, after, last),
    )
    return [item_from_row(row) for row in rows]


def item_from_row(row: Row) -> Item:
    """Reads the columns `ITEM_COLUMNS`."""
    index, item_id, dataset_item_id, input_document, expected_output, metadata = row
    return Item(
        index=index,
        id=item_id,
        dataset_item_id=dataset_item_id,
        input=input_document,
        expected_output=expected_output,
        metadata=metadata,
    )
