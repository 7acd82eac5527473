"""Items: the inputs that a task is run over."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES, Document

_MOST_BYTES_OF_A_CHARACTER = 4


class Item(Struct, frozen=True, kw_only=True):
    """One input with what is known about it.

    Attributes:
        index: place in the data, from 0.
        id: unique in its data; given by the caller, the dataset, or `default_item_id`.
        input: what the task gets.
        expected_output: what a good task answers; None where nothing is expected.
        metadata: a JSON document about the item.
        dataset_item_id: the Langfuse dataset item; empty for other data.
    """

    index: int
    id: str
    input: Document
    expected_output: Document | None = None
    metadata: Document | None = None
    dataset_item_id: str = ""

    @property
    def size(self) -> int:
        """Characters in the item's documents, a measure of the memory it takes."""
        return len(self.input) + len(self.expected_output or "") + len(self.metadata or "")

    def oversized(self) -> tuple[str, int] | None:
        """Returns the name and the bytes of a document that is above the limit, or None; only fetched data has such."""
        if self.size <= MAX_DOCUMENT_BYTES // _MOST_BYTES_OF_A_CHARACTER:
            return None
        for name, document in (
            ("input", self.input),
            ("expected_output", self.expected_output),
            ("metadata", self.metadata),
        ):
            if document and (size := len(document.encode("utf-8"))) > MAX_DOCUMENT_BYTES:
                return name, size
        return None


def default_item_id(input_document: Document) -> str:
    """Returns the id of an item that came without one: the first 16 hex digits of the SHA-256 of its input.

    The same input has the same id in every experiment, so that experiments can be compared item by item.
    """
    return hashlib.sha256(input_document.encode("utf-8")).hexdigest()[:16]
