"""The values here as JSON, for files and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from evalrpc._documents import decode

_DOCUMENT = "_json"


def to_plain(value: Any) -> dict[str, Any]:
    """Returns a dataclass as what `json.dumps` takes: an object of what is not None and not empty.

    Documents stand in it as themselves, times in ISO 8601, durations in seconds.
    """
    plain: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if content is None or content in ((), {}):
            continue
        if field.name.endswith(_DOCUMENT):
            plain[field.name.removesuffix(_DOCUMENT)] = decode(content)
        else:
            plain[field.name] = _plain(content)
    return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_plain(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value
