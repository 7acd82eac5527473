"""Definitions: experiments kept on the server under a name, to be started by a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue


class Definition(Struct, frozen=True, kw_only=True):
    """An experiment under a name.

    Attributes:
        name: its file's, without the ending.
        fields: the last good version, as members of the spec by their names in the contract; None where there was none.
        problem: what is wrong with the file as it is now; empty for nothing.
        update_time: when the file was last changed.
    """

    name: str
    fields: Mapping[str, JsonValue] | None
    problem: str
    update_time: datetime
