"""Calls that wait for a worker: first come, first served, for each function."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection

from msgspec import Struct

from evalrpc_server.workers.functions import FunctionRef
from evalrpc_server.workers.leases import Lease
from evalrpc_server.workers.work import Work


class Waiting(Struct, eq=False):
    """A call that waits.

    Attributes:
        number: its place among the calls of all functions.
        turn: the lease, once there is one.
    """

    work: Work
    number: int
    turn: asyncio.Future[Lease]


class CallQueue:
    """The waiting calls by function."""

    def __init__(self) -> None:
        self._waiting: dict[FunctionRef, OrderedDict[int, Waiting]] = {}
        self._last = 0

    def enter(self, work: Work, *, number: int | None = None) -> Waiting:
        """Lets a call wait behind all others, or first of all where it has had its turn already.

        Args:
            work: the call.
            number: the place that it had before.
        """
        self._last += 1
        waiting = Waiting(
            work, self._last if number is None else number, asyncio.get_running_loop().create_future()
        )
        line = self._waiting.setdefault(work.function, OrderedDict())
        line[waiting.number] = waiting
        if number is not None:
            line.move_to_end(number, last=False)
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """Takes a call out."""
        line = self._waiting.get(waiting.work.function)
        if line is not None:
            line.pop(waiting.number, None)
            if not line:
                del self._waiting[waiting.work.function]

    def has(self, function: FunctionRef) -> bool:
        """Whether calls of a function wait."""
        return function in self._waiting

    def first(self, functions: Collection[FunctionRef]) -> Waiting | None:
        """Returns the call of any of these functions that has waited longest."""
        if len(self._waiting) > len(functions):
            lines = [self._waiting[function] for function in functions if function in self._waiting]
        else:
            lines = [line for function, line in self._waiting.items() if function in functions]
        heads = [next(iter(line.values())) for line in lines]
        return min(heads, key=lambda waiting: waiting.number, default=None)

    def functions_of(self, experiment_id: str) -> list[FunctionRef]:
        """Returns the functions that calls of an experiment wait for."""
        return [
            function
            for function, line in self._waiting.items()
            if any(waiting.work.experiment_id == experiment_id for waiting in line.values())
        ]
