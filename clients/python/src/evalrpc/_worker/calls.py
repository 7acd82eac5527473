"""The calls that a worker has, and the reports that it must not forget yet."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from evalrpc._model.item_result import ItemResult
from evalrpc._worker.execution import Execution
from evalrpc._worker.functions import HostedFunction
from evalrpc.v1 import worker_messages_pb2


@dataclass(slots=True, eq=False)
class Call:
    """One assignment.

    Attributes:
        execution: the function at work; None while a run evaluator's results arrive.
        results: of a run, as far as they have arrived.
        chunks: how many chunks of them were taken in.
        dropped: whether the server does not want its report any more.
    """

    assignment: worker_messages_pb2.Assignment
    function: HostedFunction
    execution: Execution | None = None
    results: list[ItemResult] = field(default_factory=list)
    chunks: int = 0
    dropped: bool = False

    @property
    def token(self) -> str:
        """The token of the assignment."""
        return self.assignment.task_token


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """How a worker does.

    Attributes:
        connected: whether the server has welcomed it and the stream is open.
        draining: whether it takes nothing new.
        in_flight: calls that it works on.
        unacknowledged: reports that the server has not confirmed yet.
        completed: calls that ended well.
        failed: calls whose function raised.
        dropped: calls that the server cancelled, or gave to another worker.
        connections: how often it connected.
    """

    connected: bool
    draining: bool
    in_flight: int
    unacknowledged: int
    completed: int
    failed: int
    dropped: int
    connections: int


class Ledger:
    """What a worker has to do and has done. Used by several threads."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._calls: dict[str, Call] = {}
        self._reports: dict[str, worker_messages_pb2.TaskReport] = {}
        self._busy = 0
        self.completed = self.failed = self.dropped = 0

    @property
    def busy(self) -> int:
        """How many functions run, those that nobody waits for any more included."""
        return self._busy

    @property
    def at_work(self) -> int:
        """How many calls the server waits for."""
        return len(self._calls)

    @property
    def unacknowledged(self) -> int:
        """How many reports are not confirmed."""
        return len(self._reports)

    def wake(self) -> None:
        """Wakes those who wait for a change."""
        with self.changed:
            self.changed.notify_all()

    def tokens(self) -> list[str]:
        """Returns what a heartbeat lists: what is at work and what is reported and not confirmed."""
        with self.changed:
            return [*self._calls, *self._reports]

    def reports(self) -> list[worker_messages_pb2.TaskReport]:
        """Returns the reports that are not confirmed."""
        with self.changed:
            return list(self._reports.values())

    def get(self, token: str) -> Call | None:
        """Returns a call that is at work."""
        return self._calls.get(token)

    def enter(self, call: Call) -> None:
        """Takes a call in."""
        with self.changed:
            self._calls[call.token] = call
            self._busy += 1

    def finish(self, call: Call, report: worker_messages_pb2.TaskReport) -> bool:
        """Notes that a function has ended; returns whether its report is wanted."""
        with self.changed:
            self._busy -= 1
            self._calls.pop(call.token, None)
            if not call.dropped:
                self._reports[call.token] = report
                if report.HasField("error"):
                    self.failed += 1
                else:
                    self.completed += 1
            self.changed.notify_all()
            return not call.dropped

    def drop(self, token: str) -> Call | None:
        """Forgets what the server does not want any more; returns the call if it is at work."""
        with self.changed:
            self._reports.pop(token, None)
            call = self._calls.pop(token, None)
            if call is not None:
                call.dropped = True
                self.dropped += 1
            self.changed.notify_all()
            return call

    def confirm(self, token: str) -> None:
        """Forgets a report that the server has confirmed."""
        with self.changed:
            self._reports.pop(token, None)
            self.changed.notify_all()
