"""Dispatch: which worker gets a call, and what happens when it does not come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.stopwatch import queueing
from evalrpc_server.workers.chunks import fed
from evalrpc_server.workers.functions import FunctionRef
from evalrpc_server.workers.leases import Lease
from evalrpc_server.workers.messages import Assignment, Cancellation, Chunk
from evalrpc_server.workers.queue import CallQueue
from evalrpc_server.workers.roster import Roster, Worker
from evalrpc_server.workers.tokens import TaskTokens
from evalrpc_server.workers.work import (
    HandedBack,
    Outcome,
    RunWork,
    Work,
    WorkerLostError,
    WorkTooLargeError,
)

_MAX_HANDBACKS = 100


class Dispatcher:
    """Gives each call to the worker with the most free credit, the one that got none for longest among equals.

    Args:
        lease: seconds that a call stays with a worker that is silent.
    """

    def __init__(self, roster: Roster, tokens: TaskTokens, clock: Clock, *, lease: float) -> None:
        self._roster = roster
        self._tokens = tokens
        self._clock = clock
        self._lease_seconds = lease
        self._queue = CallQueue()
        self._leases: dict[str, Lease] = {}
        self._turns = 0

    async def call(self, work: Work) -> Outcome:
        """Has a worker do something and returns what became of it. The wait for a worker counts to no time-out.

        Raises:
            WorkerLostError: the worker that had it is gone; another one may be asked.
            WorkTooLargeError: it does not fit into a message.
        """
        number: int | None = None
        for _ in range(_MAX_HANDBACKS):
            with queueing():
                lease, number = await self._turn(work, number)
            outcome = await self._follow(lease)
            if not isinstance(outcome, HandedBack):
                return outcome
        raise WorkerLostError("workers keep handing the call back")

    def lease(self, token: str) -> Lease | None:
        """Returns a call that a worker has."""
        return self._leases.get(token)

    def expired(self) -> Iterator[Lease]:
        """Yields the leases that have run out."""
        now = self._clock.monotonic()
        yield from [lease for lease in self._leases.values() if lease.expires <= now]

    def starving(self, experiment_id: str) -> FunctionRef | None:
        """Returns a function that calls of an experiment wait for and no connected worker takes calls of."""
        for function in self._queue.functions_of(experiment_id):
            if not self._roster.hosts(function):
                return function
        return None

    def offer(self, worker: Worker) -> None:
        """Gives waiting calls to a worker that may have room."""
        while worker.free > 0 and (waiting := self._queue.first(worker.functions.keys())) is not None:
            self._queue.leave(waiting)
            if waiting.turn.done():
                continue
            try:
                waiting.turn.set_result(self._assign(worker, waiting.work))
            except WorkTooLargeError as error:
                waiting.turn.set_exception(error)

    def finish(self, lease: Lease, outcome: Outcome | HandedBack) -> None:
        """Ends a lease with what the worker reported."""
        self._end(lease)
        if not lease.done.done():
            lease.done.set_result(outcome)
        self.offer(lease.worker)

    def renew(self, lease: Lease) -> None:
        """Lets a lease begin anew."""
        lease.expires = self._clock.monotonic() + self._lease_seconds

    def lose(self, lease: Lease) -> None:
        """Takes a call away from a worker that is gone or silent."""
        self._end(lease)
        lease.worker.lost += 1
        if not lease.done.done():
            lease.done.set_exception(WorkerLostError(lease.worker.id))
        self._notify(lease, "the lease has run out")

    async def _turn(self, work: Work, number: int | None) -> tuple[Lease, int]:
        """Waits until a worker takes the call."""
        if not self._queue.has(work.function) and (worker := self._freest(work.function)) is not None:
            return self._assign(worker, work), number or 0
        waiting = self._queue.enter(work, number=number)
        if worker := self._freest(work.function):
            self.offer(worker)
        elif not self._roster.hosts(work.function):
            self._roster.note_change()
        try:
            return await waiting.turn, waiting.number
        except asyncio.CancelledError:
            self._queue.leave(waiting)
            if waiting.turn.done() and not waiting.turn.cancelled() and waiting.turn.exception() is None:
                self._withdraw(waiting.turn.result())
            raise

    async def _follow(self, lease: Lease) -> Outcome | HandedBack:
        """Waits for the report."""
        try:
            if isinstance(lease.work.payload, RunWork):
                async with fed(lease, lease.work.payload.results, self._send):
                    return await lease.done
            return await lease.done
        finally:
            if lease.token in self._leases:
                self._withdraw(lease)

    def _freest(self, function: FunctionRef) -> Worker | None:
        hosts = self._roster.hosts(function)
        freest = max(hosts, key=lambda worker: (worker.free, -worker.turn), default=None)
        return freest if freest is not None and freest.free > 0 else None

    def _assign(self, worker: Worker, work: Work) -> Lease:
        session = worker.session
        assert session is not None, "only a connected worker is free"
        lease = Lease(
            token=self._tokens.issue(),
            work=work,
            worker=worker,
            session=session.number,
            expires=self._clock.monotonic() + self._lease_seconds,
            done=asyncio.get_running_loop().create_future(),
            progress=asyncio.Event(),
        )
        session.link.send(Assignment(lease.token, work))
        session.credit -= 1
        self._turns += 1
        worker.turn = self._turns
        worker.leases[lease.token] = self._leases[lease.token] = lease
        return lease

    def _withdraw(self, lease: Lease) -> None:
        self._end(lease)
        self._notify(lease, "the call was given up: it took too long, or its experiment has ended")
        self.offer(lease.worker)

    def _end(self, lease: Lease) -> None:
        self._leases.pop(lease.token, None)
        lease.worker.leases.pop(lease.token, None)
        if lease.worker.session is None and not lease.worker.leases:
            self._roster.forget(lease.worker)

    def _notify(self, lease: Lease, reason: str) -> None:
        self._send(lease, Cancellation(lease.token, reason))

    @staticmethod
    def _send(lease: Lease, message: Cancellation | Chunk) -> None:
        if session := lease.worker.session:
            session.link.send(message)
