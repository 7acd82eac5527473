"""Who is there: the workers that are connected, or were and still have calls."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.functions import FunctionKind, FunctionRef, HostedFunction
from evalrpc_server.workers.leases import Lease
from evalrpc_server.workers.messages import Link


class Introduction(Struct, frozen=True, kw_only=True):
    """How a worker introduces itself; `max_in_flight` is how many calls it takes at once."""

    worker_id: str
    functions: tuple[HostedFunction, ...]
    max_in_flight: int
    client_name: str = ""
    client_version: str = ""


class WorkerState(StrEnum):
    """How a worker does."""

    CONNECTED = "CONNECTED"
    DRAINING = "DRAINING"
    DISCONNECTED = "DISCONNECTED"


class Session(Struct, eq=False, kw_only=True):
    """One stream of a worker's; the newest one counts.

    Attributes:
        worker: whose it is.
        link: the way to the worker.
        number: counts the sessions of all workers.
        heard: when the worker was last heard, on the monotonic clock.
        credit: how many more calls may be sent.
        draining: whether the worker takes nothing new.
        settled: whether a heartbeat has told which calls of earlier sessions the worker still has.
    """

    worker: Worker
    link: Link
    number: int
    heard: float
    settled: bool
    credit: int = 0
    draining: bool = False

    @property
    def open(self) -> bool:
        """Whether this is how the worker is connected now."""
        return self.worker.session is self


class Worker(Struct, eq=False):
    """A worker, across its sessions.

    Attributes:
        introduction: as it said last.
        session: None while it is not connected.
        leases: the calls that it has, by token.
        turn: when it last got a call, as a number that grows.
    """

    introduction: Introduction
    connect_time: datetime
    heartbeat_time: datetime
    functions: Mapping[FunctionRef, HostedFunction]
    session: Session | None = None
    leases: dict[str, Lease] = field(default_factory=dict)
    completed: int = 0
    failed: int = 0
    lost: int = 0
    turn: int = 0

    @property
    def id(self) -> str:
        """The id that it gave itself."""
        return self.introduction.worker_id

    @property
    def state(self) -> WorkerState:
        """How it does."""
        if self.session is None:
            return WorkerState.DISCONNECTED
        return WorkerState.DRAINING if self.session.draining else WorkerState.CONNECTED

    @property
    def free(self) -> int:
        """How many calls it would take now."""
        session = self.session
        if session is None or session.draining:
            return 0
        return min(session.credit, self.introduction.max_in_flight - len(self.leases))


class Roster:
    """The workers by id, and those that take calls by function."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._hosts: dict[FunctionRef, dict[str, Worker]] = {}
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def get(self, worker_id: str) -> Worker | None:
        """Returns a worker."""
        return self._workers.get(worker_id)

    def hosts(self, function: FunctionRef) -> Collection[Worker]:
        """Returns the connected workers that take calls of a function."""
        return self._hosts.get(function, {}).values()

    def check_kinds(self, introduction: Introduction) -> None:
        """Refuses a function that other workers host as another kind.

        Raises:
            RequestError: there is one.
        """
        for function in introduction.functions:
            for kind in FunctionKind:
                others = self._hosts.get(FunctionRef(function.name, kind), {}).keys() - {
                    introduction.worker_id
                }
                if kind is not function.kind and others:
                    raise kind_conflict(function.name, function.kind, kind)

    def enter(self, worker: Worker) -> None:
        """Takes a worker in, as one that takes calls."""
        self._workers[worker.id] = worker
        for function in worker.functions:
            self._hosts.setdefault(function, {})[worker.id] = worker
        self.note_change()

    def suspend(self, worker: Worker) -> None:
        """Gives a worker no more calls."""
        for function in worker.functions:
            hosts = self._hosts.get(function, {})
            hosts.pop(worker.id, None)
            if not hosts:
                self._hosts.pop(function, None)
        self.note_change()

    def forget(self, worker: Worker) -> None:
        """Takes a suspended worker out."""
        self._workers.pop(worker.id, None)

    def changed(self) -> Coroutine[Any, Any, object]:
        """Returns what ends with the next change."""
        return self._changed.wait()

    def note_change(self) -> None:
        """Wakes who waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def kind_conflict(name: str, *kinds: FunctionKind) -> RequestError:
    """Returns the error for a function that is hosted as several kinds."""
    named = ",".join(sorted(kinds))
    return RequestError(
        Reason.FUNCTION_KIND_CONFLICT,
        f"the function {name!r} is hosted as {named.replace(',', ' and as ')}; give each kind a name of its own",
        function=name,
        kinds=named,
    )
