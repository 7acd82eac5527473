"""Pages: cut by count and by characters, and continued by a cursor."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc_server.store.connection import Row
from evalrpc_server.store.port import InvalidCursorError

_LARGEST = 2**63 - 1


def fitting(measured: Sequence[Row], characters: int) -> int:
    """Returns how many of the rows, whose last column is their size, fit a page; at least one where there is one."""
    total = 0
    for count, row in enumerate(measured):
        total += row[-1]
        if count and total > characters:
            return count
    return len(measured)


def parse_cursor(cursor: str, start: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the numbers in a cursor such as `17.3`, or `start` for an empty one.

    Raises:
        InvalidCursorError: the cursor does not hold as many numbers as `start`.
    """
    if not cursor:
        return start
    parts = cursor.split(".")
    if len(parts) != len(start) or not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidCursorError(cursor[:100])
    numbers = tuple(int(part) for part in parts if len(part) < 20)
    if len(numbers) != len(start) or max(numbers) > _LARGEST:
        raise InvalidCursorError(cursor[:100])
    return numbers
