"""The hub with a clock that the test moves, and workers that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from evalrpc_server.domain.documents import document_from_value
from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from evalrpc_server.workers.functions import FunctionKind, FunctionRef, HostedFunction
from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.messages import Acknowledgement, Assignment, HeartbeatAnswer, ToWorker
from evalrpc_server.workers.roster import Introduction, Session
from evalrpc_server.workers.work import Answered, HandedBack, Outcome, TaskWork, Work
from tests.runner.world import SECONDS, ManualClock

KEY = b"k" * 32
LEASE = 15.0
EXPERIMENT = ExperimentRef(id="exp_1", name="test", run_name="test - 1")

M = TypeVar("M")


class ScriptedWorker:
    """A worker whose link keeps what it was sent."""

    def __init__(
        self, hub: Workers, worker_id: str = "w", *functions: str, kind: str = "TASK", **about: Any
    ) -> None:
        self.hub = hub
        self.id = worker_id
        self.sent: list[ToWorker] = []
        self.closed: list[RequestError | None] = []
        hosted = tuple(HostedFunction(name=name, kind=FunctionKind(kind)) for name in functions or ("f",))
        self.introduction = Introduction(
            worker_id=worker_id, functions=hosted, **{"max_in_flight": 100, **about}
        )
        self.session: Session = hub.connect(self.introduction, self)

    def send(self, message: ToWorker) -> None:
        self.sent.append(message)

    def close(self, error: RequestError | None = None) -> None:
        self.closed.append(error)

    def connect(self) -> None:
        """Comes back under its id."""
        self.session = self.hub.connect(self.introduction, self)

    def cut(self) -> None:
        """Loses its stream."""
        self.hub.disconnect(self.session)

    def grant(self, count: int) -> None:
        self.hub.grant(self.session, count)

    def beat(self, *tokens: str) -> list[str]:
        """Sends a heartbeat and returns which of the tokens are lost; nobody answers over a stream that has ended."""
        before = len(self.sent)
        self.hub.heartbeat(self.session, tokens)
        answers = [message for message in self.sent[before:] if isinstance(message, HeartbeatAnswer)]
        return list(answers[0].lost) if answers else []

    def got(self, kind: type[M]) -> list[M]:
        return [message for message in self.sent if isinstance(message, kind)]

    @property
    def tokens(self) -> list[str]:
        return [assignment.token for assignment in self.got(Assignment)]

    @property
    def acks(self) -> list[tuple[str, bool]]:
        return [(ack.token, ack.ignored) for ack in self.got(Acknowledgement)]

    def report(self, token: str, outcome: Outcome | HandedBack | None = None) -> None:
        self.hub.report_over(self.session, token, lambda _: outcome or answered("done"))


@asynccontextmanager
async def supervised(**settings: Any) -> AsyncGenerator[tuple[Workers, ManualClock]]:
    """Opens a hub that watches over its leases."""
    clock = ManualClock()
    hub = Workers(KEY, clock, **{"lease": LEASE, **settings})
    async with hub.supervised():
        yield hub, clock


async def pass_time(clock: ManualClock, seconds: float) -> None:
    """Moves the clock and lets everybody notice."""
    clock.advance(seconds)
    await settle()


async def settle() -> None:
    """Lets everything that is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


def work(function: str = "f", *, kind: str = "TASK", unit: str = "u", **fields: Any) -> Work:
    return Work(
        **{
            "function": FunctionRef(function, FunctionKind(kind)),
            "payload": TaskWork(task_call(), include_expected_output=False),
            "experiment_id": EXPERIMENT.id,
            "unit": unit,
            "timeout": 60.0,
            **fields,
        }
    )


def task_call(**fields: Any) -> TaskCall:
    item = Item(index=0, id="item-0", input=document_from_value("question"))
    return TaskCall(
        **{
            "experiment": EXPERIMENT,
            "item": item,
            "trial": 1,
            "attempt": 1,
            "timeout": SECONDS,
            "trace_id": "a" * 32,
            "span_id": "b" * 16,
            **fields,
        }
    )


def answered(value: object) -> Answered:
    return Answered(TaskAnswer(output=document_from_value(value)))


def begin(hub: Workers, **fields: Any) -> asyncio.Task[Outcome]:
    """Makes a call."""
    return asyncio.create_task(hub.call(work(**fields)))


async def outcome(call: asyncio.Task[Outcome]) -> Outcome:
    async with asyncio.timeout(SECONDS):
        return await call
