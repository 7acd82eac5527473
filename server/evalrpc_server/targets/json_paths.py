"""Looking into answers that are not held to a schema: what is missing or of another type reads as absent."""

from __future__ import annotations

import math

from evalrpc_server.domain.documents import JsonValue


def at(value: JsonValue, *path: str | int) -> JsonValue:
    """Returns what is at a path; None where it leads nowhere."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text_at(value: JsonValue, *path: str | int) -> str:
    """Returns the string at a path, or a whole number there as text; "" where there is neither."""
    found = at(value, *path)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def number_at(value: JsonValue, *path: str | int) -> float | None:
    """Returns the finite number at a path, also where it is written as a string; None where there is none."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def count_at(value: JsonValue, *path: str | int) -> int | None:
    """Returns the whole number, 0 or more, at a path; None where there is none."""
    number = number_at(value, *path)
    return int(number) if number is not None and 0 <= number < 2**31 and number.is_integer() else None


def entries_at(value: JsonValue, *path: str | int) -> list[JsonValue]:
    """Returns the objects of the list at a path, or the member values of the object there that are objects."""
    found = at(value, *path)
    if isinstance(found, dict):
        found = list(found.values())
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
