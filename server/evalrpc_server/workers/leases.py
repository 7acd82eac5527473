"""Leases: which call a worker has, and for how long if it stays silent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from evalrpc_server.workers.work import HandedBack, Outcome, Work

if TYPE_CHECKING:
    from evalrpc_server.workers.roster import Worker


class Lease(Struct, eq=False):
    """One attempt at a call, in the hands of a worker.

    Attributes:
        token: its name.
        worker: who has it.
        session: the number of the session in which it was sent.
        expires: when it goes to another worker unless it is renewed, on the monotonic clock.
        done: what became of it; `WorkerLostError` where the worker is gone.
        taken: the number of the last chunk of results that the worker has taken in.
        progress: wakes who feeds it chunks.
    """

    token: str
    work: Work
    worker: Worker
    session: int
    expires: float
    done: asyncio.Future[Outcome | HandedBack]
    progress: asyncio.Event
    taken: int = 0

    def take_chunk(self, number: int) -> None:
        """Notes that the worker has taken a chunk in."""
        self.taken = max(self.taken, number)
        self.progress.set()

    def follow(self, session: int) -> None:
        """Notes that the worker has it in a later session."""
        self.session = session
        self.progress.set()
