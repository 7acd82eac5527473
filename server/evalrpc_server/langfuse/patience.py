"""How long a call may wait for Langfuse before it rather fails, where somebody has to answer in time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("langfuse_patience_ends", default=None)


@contextmanager
def patience_of(seconds: float) -> Iterator[None]:
    """Has calls within the block fail at once where they would have to wait for longer than is left of these seconds.

    So the caller is told why there is no answer, and how long Langfuse asked to wait.
    """
    before = _ends.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _ends.reset(before)


def patience_left() -> float:
    """Returns the seconds that are left; infinite outside of such a block."""
    end = _ends.get()
    return math.inf if end is None else end - asyncio.get_running_loop().time()
