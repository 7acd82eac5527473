"""Items as messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evalrpc.v1 import item_pb2
from evalrpc_server.domain.documents import Document, InvalidDocumentError
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.items import Item, default_item_id
from evalrpc_server.protobuf.documents import Encoding, document_from_message, fill_document

_MAX_ID = 255


def item_to_message(item: Item, encoding: Encoding) -> item_pb2.ExperimentItem:
    """Writes an item of an experiment."""
    message = item_pb2.ExperimentItem()
    fill_item(message, item, encoding)
    return message


def fill_item(message: item_pb2.ExperimentItem, item: Item, encoding: Encoding) -> None:
    """Writes an item of an experiment into an empty message."""
    message.id = item.id
    message.index = item.index
    if item.dataset_item_id:
        message.dataset_item_id = item.dataset_item_id
    fill_document(message.input, item.input, encoding)
    if item.expected_output is not None:
        fill_document(message.expected_output, item.expected_output, encoding)
    if item.metadata is not None:
        fill_document(message.metadata, item.metadata, encoding)


def read_items(
    messages: Sequence[item_pb2.Item], *, path: str, first_index: int = 0, known_ids: Collection[str] = ()
) -> tuple[list[Item], list[Violation]]:
    """Reads items that a caller sent, and everything that is wrong with them.

    Args:
        messages: the items.
        path: where they stand in the request, for violations.
        first_index: the index of the first of them.
        known_ids: ids that are taken already.
    """
    items: list[Item] = []
    violations: list[Violation] = []
    seen: dict[str, str] = dict.fromkeys(known_ids, "an earlier item")
    for number, message in enumerate(messages):
        place = f"{path}[{number}]"
        item = _read_item(message, place, first_index + number, seen, violations)
        if item is not None:
            seen.setdefault(item.id, place)
            items.append(item)
    return items, violations


def wanted_ids(messages: Sequence[item_pb2.Item]) -> list[str]:
    """Returns the ids that items would have if all were free; an item whose input cannot be read has none."""
    ids: list[str] = []
    for message in messages:
        try:
            ids.append(message.id or default_item_id(document_from_message(message.input)))
        except InvalidDocumentError:
            continue
    return ids


def _read_item(
    message: item_pb2.Item, place: str, index: int, seen: dict[str, str], violations: list[Violation]
) -> Item | None:
    before = len(violations)
    documents: dict[str, Document | None] = {}
    for field in ("input", "expected_output", "metadata"):
        documents[field] = None
        if not message.HasField(field):
            continue
        try:
            documents[field] = document_from_message(getattr(message, field))
        except InvalidDocumentError as problem:
            violations.append(Violation(f"{place}.{field}", str(problem)))
    document = documents["input"]
    if not message.HasField("input"):
        violations.append(Violation(f"{place}.input", 'is required; for an empty input send {"value": null}'))
    if len(message.id) > _MAX_ID:
        violations.append(Violation(f"{place}.id", f"must be at most {_MAX_ID} characters"))
    elif "\x00" in message.id:
        violations.append(Violation(f"{place}.id", "must not hold the character NUL"))
    elif message.id in seen:
        violations.append(
            Violation(
                f"{place}.id",
                f"is the id of {seen[message.id]} too; give each item an id of its own, or none",
            )
        )
    if document is None or len(violations) > before:
        return None
    return Item(
        index=index,
        id=message.id or _free_id(document, index, seen),
        input=document,
        expected_output=documents["expected_output"],
        metadata=documents["metadata"],
    )


def _free_id(document: Document, index: int, seen: dict[str, str]) -> str:
    """Returns the default id of an input; a repeated input gets its index behind it."""
    item_id = default_item_id(document)
    return f"{item_id}-{index}" if item_id in seen else item_id
