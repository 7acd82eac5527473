"""The hub: connected workers on one side, calls of their functions on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.dispatch import Dispatcher
from evalrpc_server.workers.functions import FunctionKind, FunctionRef
from evalrpc_server.workers.hosting import WorkerHosting
from evalrpc_server.workers.messages import (
    Acknowledgement,
    DrainNotice,
    Farewell,
    HeartbeatAnswer,
    Link,
)
from evalrpc_server.workers.reports import Acknowledge, Reports
from evalrpc_server.workers.roster import Introduction, Roster, Session, Worker
from evalrpc_server.workers.tokens import TaskTokens
from evalrpc_server.workers.work import HandedBack, Outcome, Work

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
"""How long a call stays with a worker that is silent, unless the server is configured otherwise."""

_SWEEPS = 60  # in each lease: how precisely its end is noticed


class Workers:
    """All workers of this server.

    Args:
        key: by which this server and later ones on the same store recognise the tokens that they issued.
        clock: the time.
        lease: seconds that a call stays with a worker that is silent.
    """

    def __init__(self, key: bytes, clock: Clock, *, lease: float = LEASE_SECONDS) -> None:
        self.lease = lease
        self._clock = clock
        self._roster = Roster()
        tokens = TaskTokens(key)
        self._dispatcher = Dispatcher(self._roster, tokens, clock, lease=lease)
        self._reports = Reports(self._dispatcher, tokens)
        self._sessions = 0

    @property
    def heartbeat_interval(self) -> float:
        """How often a worker must send a heartbeat, in seconds: it may miss two."""
        return self.lease / 3

    # ---------------------------------------------------------------------------------- for those who call

    async def call(self, work: Work) -> Outcome:
        """Has a worker do something and returns what became of it; see `Dispatcher.call`."""
        return await self._dispatcher.call(work)

    def hosting(self, experiment_id: str, functions: Iterable[FunctionRef]) -> WorkerHosting:
        """Returns what an experiment needs of workers; every trial of it calls all of these functions."""
        return WorkerHosting(
            experiment_id,
            tuple(functions),
            roster=self._roster,
            dispatcher=self._dispatcher,
            reports=self._reports,
        )

    # --------------------------------------------------------------------------------- for those who serve

    def connect(self, introduction: Introduction, link: Link) -> Session:
        """Takes a worker in. One that is known goes on with what it has; its stream from before ends.

        Raises:
            RequestError: it hosts a function as another kind than connected workers do.
        """
        self._roster.check_kinds(introduction)
        now, functions = self._clock.now(), {function.ref: function for function in introduction.functions}
        worker = self._roster.get(introduction.worker_id)
        if worker is None:
            worker = Worker(introduction, now, now, functions)
        elif worker.session is not None:
            self.disconnect(worker.session, Farewell("the worker has connected anew"))
        worker.introduction, worker.functions = introduction, functions
        worker.connect_time = worker.heartbeat_time = now
        worker.completed = worker.failed = worker.lost = 0
        self._sessions += 1
        session = Session(
            worker=worker,
            link=link,
            number=self._sessions,
            heard=self._clock.monotonic(),
            settled=not worker.leases,
        )
        worker.session = session
        self._roster.enter(worker)
        return session

    def grant(self, session: Session, count: int) -> None:
        """Lets the worker be sent so many more calls."""
        session.credit += count
        self._dispatcher.offer(session.worker)

    def heartbeat(self, session: Session, tokens: Collection[str]) -> None:
        """Renews the leases of what the worker says it has, and answers which of that it has no more."""
        if not session.open:
            return
        worker, lost = session.worker, []
        session.heard, worker.heartbeat_time = self._clock.monotonic(), self._clock.now()
        for token in tokens:
            lease = worker.leases.get(token)
            if lease is not None:
                self._dispatcher.renew(lease)
                lease.follow(session.number)
            elif not self._reports.knows(token):
                lost.append(token)
        session.link.send(HeartbeatAnswer(lost))
        if not session.settled:
            session.settled = True
            self._take_back(session)

    def report(
        self, token: str, read: Callable[[FunctionKind], Outcome | HandedBack], acknowledge: Acknowledge
    ) -> None:
        """Takes a report in; see `Reports.take`."""
        self._reports.take(token, read, acknowledge)

    def report_over(
        self, session: Session, token: str, read: Callable[[FunctionKind], Outcome | HandedBack]
    ) -> None:
        """Takes a report in and acknowledges it over the worker's stream; one of an unknown token is ignored."""

        def acknowledge(token: str, *, ignored: bool) -> None:
            if session.open:
                session.link.send(Acknowledgement(token, ignored))

        try:
            self._reports.take(token, read, acknowledge)
        except RequestError:
            acknowledge(token, ignored=True)

    def take_chunk(self, session: Session, token: str, number: int) -> None:
        """Notes that the worker has taken a chunk of results in."""
        lease = session.worker.leases.get(token)
        if lease is not None:
            lease.take_chunk(number)

    def suspend(self, session: Session) -> None:
        """Gives the worker nothing new: it winds up."""
        if session.open and not session.draining:
            session.draining = True
            self._roster.suspend(session.worker)

    def disconnect(
        self, session: Session, farewell: Farewell | None = None, *, for_good: bool = False
    ) -> None:
        """Notes that a stream has ended, or ends it.

        Args:
            session: the stream.
            farewell: what the worker is told, where the server ends it.
            for_good: whether the worker said goodbye, so that its calls go to others at once.
        """
        if not session.open:
            return
        worker = session.worker
        self.suspend(session)
        if farewell is not None:
            session.link.send(farewell)
        session.link.close()
        worker.session = None
        for lease in list(worker.leases.values()) if for_good else ():
            self._dispatcher.lose(lease)
        if not worker.leases:
            self._roster.forget(worker)

    def list_workers(self, *, after: str, limit: int, function: str = "") -> Sequence[Worker]:
        """Returns the workers behind an id, in the order of their ids, optionally only those that host a function."""
        found = [
            worker
            for worker in self._roster
            if worker.id > after
            and (not function or any(hosted.name == function for hosted in worker.functions))
        ]
        return sorted(found, key=lambda worker: worker.id)[:limit]

    # ------------------------------------------------------------------------------------ for the application

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator[None]:
        """Takes calls away from workers that are silent, while the block lasts."""
        supervising = asyncio.create_task(self._supervise(), name="worker leases")
        try:
            yield
        finally:
            supervising.cancel()
            await asyncio.wait([supervising])

    async def _supervise(self) -> None:
        while True:
            await self._clock.sleep(self.lease / _SWEEPS)
            for lease in self._dispatcher.expired():
                logger.warning(
                    "a lease has run out",
                    extra={"worker_id": lease.worker.id, "function": lease.work.function.name},
                )
                self._dispatcher.lose(lease)
            deadline = self._clock.monotonic() - self.lease
            for worker in self._roster:
                session = worker.session
                if session is not None and session.heard <= deadline:
                    session.link.close(_unresponsive(worker, self.lease))
                    self.disconnect(session)

    def drain(self, grace: float) -> None:
        """Tells all workers that the server shuts down; what is in flight goes on."""
        self._tell_all(DrainNotice(grace))

    def close(self) -> None:
        """Ends all streams."""
        for worker in self._roster:
            if worker.session is not None:
                self.disconnect(worker.session, Farewell("the server is shutting down"))

    def _tell_all(self, message: DrainNotice) -> None:
        for worker in self._roster:
            if worker.session is not None:
                worker.session.link.send(message)

    def _take_back(self, session: Session) -> None:
        """Takes back what was sent in earlier sessions and has never reached the worker."""
        for lease in list(session.worker.leases.values()):
            if lease.session != session.number:
                self._dispatcher.finish(lease, HandedBack("it never arrived"))


def _unresponsive(worker: Worker, lease: float) -> RequestError:
    return RequestError(
        Reason.WORKER_UNRESPONSIVE,
        f"no heartbeat for {lease:g} s; send one in every heartbeat_interval, also while functions run",
        worker_id=worker.id,
        lease_seconds=f"{lease:g}",
    )
