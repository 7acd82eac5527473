"""A runner with a real store, a scripted task, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from evalrpc_server.datasets.port import DataSource
from evalrpc_server.domain.documents import Document, document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.evaluators.port import Case
from evalrpc_server.runner.collection import Collection
from evalrpc_server.runner.judging import Judge, Member, RunJudge
from evalrpc_server.runner.manager import Manager
from evalrpc_server.runner.parts import Parts
from evalrpc_server.runner.pipeline import Pipeline
from evalrpc_server.runner.reporting import NoReporter, Reporter
from evalrpc_server.store.port import Store
from evalrpc_server.store.registry import open_store
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError

SECONDS = 20.0
"""How long a test waits for what must happen."""

Task = Callable[[TaskCall], Awaitable[TaskAnswer]]


class ManualClock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._asked = asyncio.Condition()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._numbers), woken))
        async with self._asked:
            self._asked.notify_all()
        await woken

    async def sleepers(self, count: int) -> list[float]:
        """Waits until so many sleep, and returns how many seconds each has left."""
        async with asyncio.timeout(SECONDS), self._asked:
            await self._asked.wait_for(lambda: len(self._sleepers) >= count)
        return sorted(until - self._elapsed for until, _, _ in self._sleepers)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


class ScriptedTarget:
    """A task that does what a function says, and remembers what it was asked."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._changed = asyncio.Condition()
        self.calls: list[TaskCall] = []
        self.in_flight = 0
        self.peak = 0
        self.closed = False

    async def call(self, call: TaskCall) -> TaskAnswer:
        self.calls.append(call)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        async with self._changed:
            self._changed.notify_all()
        try:
            return await self._task(call)
        finally:
            self.in_flight -= 1

    async def called(self, times: int) -> None:
        """Waits until the task was called so often."""
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= times)

    async def aclose(self) -> None:
        self.closed = True


class ScriptedEvaluator:
    """An evaluator of items or runs that does what a function says."""

    def __init__(self, function: Callable[[Any], Awaitable[Sequence[Evaluation]]]) -> None:
        self._function = function
        self.closed = False

    reference = "scripted@1"

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        return await self._function(case)

    async def evaluate_run(
        self, _: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]], /
    ) -> Sequence[Evaluation]:
        return await self._function([result async for chunk in results for result in chunk])

    async def aclose(self) -> None:
        self.closed = True


class World:
    """A manager over a store in a directory; what runs work with is scripted."""

    def __init__(self, store: Store, task: Task, *, clock: Any = None, max_running: int = 100) -> None:
        self.store = store
        self.clock = clock or ManualClock()
        self.target = ScriptedTarget(task)
        self.judges: list[Judge] = []
        self.composite: Judge | None = None
        self.run_judges: list[RunJudge] = []
        self.source: DataSource | None = None
        self.report: Reporter = NoReporter()
        self.manager = Manager(store, self, self.clock, max_running=max_running)

    async def parts(self, experiment: Experiment) -> Parts:
        spec = experiment.spec
        return Parts(
            pipeline=Pipeline(
                experiment=experiment.ref,
                target=self.target,
                task_timeout=spec.task_timeout,
                retry=spec.retry,
                retry_timeouts=bool(spec.task.http and spec.task.http.retry_timeouts),
                judges=self.judges,
                composite=self.composite,
                clock=self.clock,
                uniform=lambda _, longest: longest,
            ),
            run_judges=self.run_judges,
            collection=Collection(experiment.items, store=self.store, source=self.source),
        )

    async def settle(self, experiment: Experiment) -> tuple[Experiment, Reporter]:
        return await self.settled(experiment), self.report

    async def settled(self, experiment: Experiment) -> Experiment:
        """Answers what an experiment that was accepted in a hurry has to know; tests replace it."""
        return replace(experiment, unsettled=False)

    def reporter(self, _: Experiment) -> Reporter:
        return self.report

    def judge(
        self, function: Callable[[Case], Awaitable[Sequence[Evaluation]]], name: str, **bounds: Any
    ) -> None:
        """Adds an evaluator of items."""
        self.judges.append(scripted_judge(function, name, **bounds))

    def run_judge(
        self, function: Callable[[list[ItemResult]], Awaitable[Sequence[Evaluation]]], name: str
    ) -> None:
        """Adds an evaluator of runs."""
        self.run_judges.append(
            RunJudge(
                member=Member(name, "scripted@1"), evaluator=ScriptedEvaluator(function), timeout=SECONDS
            )
        )

    async def start(
        self,
        count: int,
        *,
        id: str = "exp_1",  # noqa: A002
        request_id: str = "",
        stop_if_left: bool = False,
        **spec: Any,
    ) -> Experiment:
        """Starts an experiment over so many items."""
        experiment = new_experiment(count, id=id, request_id=request_id, **spec)
        return await self.manager.start(
            experiment,
            items=items(count),
            request_id=request_id,
            fingerprint=repr((count, sorted(spec))),
            stop_if_left=stop_if_left,
        )

    async def events(self, id: str = "exp_1", after: int = 0) -> list[Event]:  # noqa: A002
        """Watches an experiment to its end."""
        async with asyncio.timeout(SECONDS):
            return [published.event async for published in self.manager.watch(id, after)]


@asynccontextmanager
async def world(directory: Path, task: Task, **options: Any) -> AsyncGenerator[World]:
    """Opens a world over the store in a directory; drops what is unfinished at the end."""
    store = open_store(directory)
    await store.open()
    made = World(store, task, **options)
    try:
        yield made
    finally:
        await made.manager.drain(0)
        await store.close()


def scripted_judge(
    function: Callable[[Case], Awaitable[Sequence[Evaluation]]],
    name: str,
    *,
    timeout: float = SECONDS,
    slots: int = 50,
) -> Judge:
    evaluator = ScriptedEvaluator(function)
    member = Member(name, evaluator.reference)
    return Judge(members=[member], evaluator=evaluator, timeout=timeout, slots=asyncio.Semaphore(slots))


def new_experiment(count: int, *, id: str = "exp_1", request_id: str = "", **spec: Any) -> Experiment:  # noqa: A002
    fields = {
        "name": "test",
        "items": {"count": count},
        "task": {"http": {"url": "http://127.0.0.1:9/"}},
        **spec,
    }
    return Experiment(
        id=id,
        spec=ExperimentSpec.model_validate(fields),
        items=id,
        request_id=request_id,
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def items(count: int) -> list[Item]:
    return [Item(index=index, id=f"item-{index}", input=document_from_value(index)) for index in range(count)]


def answer(value: object) -> TaskAnswer:
    return TaskAnswer(output=document_from_value(value))


def failure(*, retryable: bool, retry_after: float | None = None) -> TaskError:
    error = Error(
        reason=Reason.TASK_HTTP_STATUS, message="The task answered with status 503.", retryable=retryable
    )
    return TaskError(error, retry_after=retry_after)


def results(events: Sequence[Event]) -> list[ItemResult]:
    return [event.body for event in events if isinstance(event.body, ItemResult)]


async def echo(call: TaskCall) -> TaskAnswer:
    return TaskAnswer(output=Document(call.item.input))
