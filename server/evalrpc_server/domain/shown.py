"""Items of a run as a person compares them."""

from __future__ import annotations

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.items import Item


class Shown(Struct, frozen=True):
    """An item of a run with the output of its first trial; None where that failed, or is not kept."""

    item: Item
    output: Document | None

    @property
    def size(self) -> int:
        """Characters in its documents."""
        return self.item.size + len(self.output or "")
