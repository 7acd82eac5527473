"""What an executor runs: several calls as one job. Nothing here knows of event loops or other machinery."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

from msgspec import Struct

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Memo: TypeAlias = dict[Any, Any]
"""What the calls of one chunk share, so that work on a common argument is done once."""

Function: TypeAlias = Callable[[Memo, *Ts], T]
"""A function that can be called in a chunk."""

Job: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments but for the memo."""


class Crash(Struct, frozen=True):
    """A function raised.

    Attributes:
        kind: the exception's class.
        where: class and lines, for the log; never the exception's text, which may quote a document.
    """

    kind: str
    where: str


def run_chunk(jobs: Sequence[Job], max_seconds: float) -> list[Any]:
    """Runs jobs one after the other and returns their results in order, a `Crash` for one that raised.

    After `max_seconds` it begins no further job: there are fewer results than jobs then, but at least one.
    """
    deadline = time.monotonic() + max_seconds
    memo: Memo = {}
    results: list[Any] = []
    for function, arguments in jobs:
        try:
            results.append(function(memo, *arguments))
        except Exception as error:  # noqa: BLE001 - one call's failure is the outcome of that call alone
            results.append(Crash(type(error).__name__, where(error)))
        if time.monotonic() > deadline:
            break
    return results


def where(error: BaseException) -> str:
    """Names an exception's class and the last lines of code that it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return " < ".join(
        [type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))]
    )
