"""A runner over a real store that a test drives turn by turn: it answers the task calls, and it kills the process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from evalrpc_server.domain.errors import Error, UnavailableError
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Checkpoint, Event
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.store.port import Commit, Creation, Store
from evalrpc_server.store.registry import open_store
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import World

SECONDS = 10.0

T = TypeVar("T")


class MortalStore:
    """A store whose process can be killed before its next commits, or after them and before anybody hears of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.deaf = False
        self.mute = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, commit: Commit) -> None:
        await self._write(self.store.commit, commit)

    async def create_experiment(self, commit: Commit, **fields: Any) -> Creation:
        return await self._write(self.store.create_experiment, commit, **fields)

    async def _write(self, write: Callable[..., Coroutine[Any, Any, T]], *args: Any, **fields: Any) -> T:
        if self.deaf:
            await _never()
        result = await write(*args, **fields)
        if self.mute:
            await _never()
        return result


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class Held:
    """A task call that waits for the test's answer."""

    call: TaskCall
    answer: asyncio.Future[TaskAnswer]


@dataclass(eq=False)
class Follower:
    """Watches an experiment behind a sequence, through restarts, and sees to it that nothing comes twice or is left out."""

    experiment_id: str
    after: int
    events: list[Event] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        return self.after + len(self.events)

    async def follow(self, world: World) -> None:
        try:
            async with aclosing(world.manager.watch(self.experiment_id, self.position)) as watch:
                async for published in watch:
                    if not isinstance(published.event.body, Checkpoint):
                        assert published.event.sequence == self.position + 1
                        self.events.append(published.event)
        except UnavailableError:
            return


class Subject:
    """The server's inside, from the manager to the database file."""

    def __init__(self, directory: Path, max_running: int) -> None:
        self._directory = directory
        self._max_running = max_running
        self.held: list[Held] = []
        self.calls: Callable[[TaskCall], None] = lambda _: None
        self.followers: list[Follower] = []
        self.world: World
        self._store: MortalStore

    async def open(self) -> None:
        """Starts, and takes up what is unfinished."""
        store = open_store(self._directory)
        await store.open()
        self._store = MortalStore(store)
        self.world = World(cast(Store, self._store), self._hold, max_running=self._max_running)
        self.world.judge(_good, "good")
        self.world.judge(_moody, "moody")
        self.world.run_judge(_failures, "failures")
        self.world.run_judge(_broken, "broken")
        await self.world.manager.recover()
        for follower in self.followers:
            self._start(follower)

    async def follow(self, follower: Follower) -> None:
        """Lets a watcher follow from now on, through restarts."""
        self.followers.append(follower)
        self._start(follower)

    async def cut(self, follower: Follower) -> None:
        """Cuts a watcher's connection and lets it resume at once."""
        if follower.task:
            follower.task.cancel()
        self._start(follower)

    async def drain(self, *, answer: Callable[[], None] | None = None) -> None:
        """Stops as SIGTERM does, answering what is in flight within the grace period, or leaving it."""
        draining = asyncio.create_task(self.world.manager.drain(SECONDS if answer else 0.0))
        if answer:
            await asyncio.sleep(0)
            answer()
        await draining
        await self._bury()

    async def flush(self) -> None:
        """Waits until everything is stored that was to be stored."""
        await self._store.store.settle_outbox()

    async def kill(self, *, stored: bool, act: Callable[[], None]) -> None:
        """Dies while it carries out what `act` begins: before its commits, or after them and before they are told."""
        self._store.deaf, self._store.mute = not stored, stored
        act()
        for _ in range(20):
            await asyncio.sleep(0)
        await self.flush()
        self._store.deaf = True
        await self._bury()

    async def _bury(self) -> None:
        own = asyncio.current_task()
        while tasks := asyncio.all_tasks() - {own}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        self.held.clear()
        await self._store.store.close()

    def _start(self, follower: Follower) -> None:
        follower.task = asyncio.create_task(follower.follow(self.world))

    async def _hold(self, call: TaskCall) -> TaskAnswer:
        self.calls(call)
        held = Held(call, asyncio.get_running_loop().create_future())
        self.held.append(held)
        try:
            return await held.answer
        finally:
            if held in self.held:
                self.held.remove(held)

    def waiting(self) -> list[Held]:
        """Returns the unanswered task calls, in an order that no thread decides."""
        unanswered = [held for held in self.held if not held.answer.done()]
        return sorted(
            unanswered, key=lambda held: (held.call.experiment.id, held.call.item.index, held.call.trial)
        )

    def in_flight(self) -> Counter[str]:
        """Counts the unanswered task calls of each experiment."""
        return Counter(held.call.experiment.id for held in self.waiting())

    def sleepers(self) -> int:
        """Counts the trials that wait for their next attempt."""
        return sum(not woken.done() for _, _, woken in self.world.clock._sleepers)


async def eventually(settled: Callable[[], Awaitable[str]]) -> None:
    """Waits until nothing is left to say against a state; fails with what is."""
    deadline = time.monotonic() + SECONDS
    while complaint := await settled():
        assert time.monotonic() < deadline, complaint
        await asyncio.sleep(0.0005)


async def _good(case: Case) -> Sequence[Evaluation]:
    return [Evaluation(name="", value=float(case.item.index))]


async def _moody(case: Case) -> Sequence[Evaluation]:
    if case.item.index % 2:
        raise EvaluatorError(_FAILED)
    return [Evaluation(name="", value=True)]


async def _failures(results: list[ItemResult]) -> Sequence[Evaluation]:
    return [Evaluation(name="", value=float(sum(result.failed for result in results)))]


async def _broken(_: list[ItemResult]) -> Sequence[Evaluation]:
    raise EvaluatorError(_FAILED)


_FAILED = Error(reason=Reason.EVALUATOR_FAILED, message="It is not in the mood.")
