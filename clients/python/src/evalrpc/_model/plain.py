"""The values here as JSON, for files and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from evalrpc._documents import decode

_DOCUMENT = "_json"


def to_plain(value: Any) -> Any:
    """Returns a value as what `json.dumps` takes.

    Dataclasses are objects of what is not None; documents stand in them as themselves, times in ISO 8601, durations in
    seconds.
    """
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, tuple | list):
        return [to_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    return value


def _object(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if content is None or content in ((), {}):
            continue
        if field.name.endswith(_DOCUMENT):
            plain[field.name.removesuffix(_DOCUMENT)] = decode(content)
        else:
            plain[field.name] = to_plain(content)
    return plain
