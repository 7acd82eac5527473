"""How a run waits for workers, and when it tells them that their reports are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.trace import trace_id
from evalrpc_server.runner.parts import Parts
from tests.runner.world import SECONDS, World, echo, results, world

NOBODY = Error(reason=Reason.NO_WORKER, message="Nobody.", metadata={"function": "f"}, retryable=True)


class ScriptedHosting:
    """Workers that are there or not, as the test says, and what they were told."""

    def __init__(self) -> None:
        self._absent: Error | None = None
        self._starved: Error | None = None
        self._changed = asyncio.Event()
        self.told: list[str] = []
        self.closed = asyncio.Event()

    def set(self, *, absent: Error | None = None, starved: Error | None = None) -> None:
        self._absent, self._starved = absent, starved
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def absent(self) -> Error | None:
        return self._absent

    def starved(self) -> Error | None:
        return self._starved

    def changed(self) -> Coroutine[Any, Any, object]:
        return self._changed.wait()

    def stored(self, unit: str) -> None:
        self.told.append(unit)

    def close(self) -> None:
        self.closed.set()


def host(world: World) -> ScriptedHosting:
    """Has the runs of a world need workers."""
    hosting, build = ScriptedHosting(), world.parts

    async def parts(experiment: Experiment) -> Parts:
        return replace(await build(experiment), hosting=hosting)

    world.parts = parts  # type: ignore[method-assign]
    return hosting


def waiting(events: list[Event]) -> list[str]:
    """Returns the states and reasons for waiting that the events tell of."""
    experiments = [event.body for event in events if isinstance(event.body, Experiment)]
    return [f"{each.state}{f' {each.waiting.reason}' if each.waiting else ''}" for each in experiments]


async def test_a_run_waits_visibly_until_there_is_a_worker(tmp_path: Path):
    async with world(tmp_path, echo) as made:
        hosting = host(made)
        hosting.set(absent=NOBODY)
        await made.start(3)
        await made.clock.sleepers(1)
        assert (await made.manager.get("exp_1")).waiting == NOBODY
        assert made.target.calls == []
        hosting.set()
        events = await made.events()
        assert waiting(events) == ["PENDING", "PENDING NO_WORKER", "PENDING", "RUNNING", "SUCCEEDED"]
        assert len(results(events)) == 3


async def test_a_run_that_waits_keeps_no_place_from_others(tmp_path: Path):
    async with world(tmp_path, echo, max_running=1) as made:
        hosting = host(made)
        hosting.set(absent=NOBODY)
        await made.start(1, id="first")
        await made.clock.sleepers(1)
        hosting._absent = None
        await made.start(1, id="second")
        assert waiting(await made.events("second"))[-1] == "SUCCEEDED"
        assert (await made.manager.get("first")).waiting == NOBODY
        hosting.set()
        assert waiting(await made.events("first"))[-1] == "SUCCEEDED"


async def test_a_run_that_nobody_comes_for_fails(tmp_path: Path):
    async with world(tmp_path, echo) as made:
        hosting = host(made)
        hosting.set(absent=NOBODY)
        await made.start(3, worker_wait=30)
        assert await made.clock.sleepers(1) == [30]
        made.clock.advance(30)
        events = await made.events()
        last = events[-1].body
        assert isinstance(last, Experiment)
        assert (last.state, last.waiting) == (State.FAILED, None)
        assert last.error is not None
        assert last.error.reason is Reason.NO_WORKER
        assert last.error.metadata == {"function": "f", "waited_seconds": "30"}
        async with asyncio.timeout(SECONDS):
            await hosting.closed.wait()


async def test_a_run_whose_workers_leave_waits_for_them(tmp_path: Path):
    gate = asyncio.Event()

    async def gated(call: Any) -> Any:
        await gate.wait()
        return await echo(call)

    async with world(tmp_path, gated) as made:
        hosting = host(made)
        await made.start(3)
        await made.target.called(3)
        hosting.set(starved=NOBODY)
        assert await made.clock.sleepers(1) == [1], "a worker that comes back at once is not worth an event"
        made.clock.advance(1)
        assert 60 in await made.clock.sleepers(1)
        assert (await made.manager.get("exp_1")).waiting == NOBODY
        gate.set()
        hosting.set()
        assert waiting(await made.events())[-3:] == ["RUNNING NO_WORKER", "RUNNING", "SUCCEEDED"]


async def test_a_run_whose_workers_never_come_back_fails_and_keeps_its_results(tmp_path: Path):
    stuck = asyncio.Event()

    async def partly(call: Any) -> Any:
        if call.item.index:
            await stuck.wait()
        return await echo(call)

    async with world(tmp_path, partly) as made:
        hosting = host(made)
        await made.start(3)
        await made.target.called(3)
        hosting.set(starved=NOBODY)
        for seconds in (1, 60):
            await made.clock.sleepers(1)
            made.clock.advance(seconds)
            await asyncio.sleep(0.05)
        events = await made.events()
        last = events[-1].body
        assert isinstance(last, Experiment)
        assert last.error is not None
        assert (last.state, last.error.reason) == (State.FAILED, Reason.NO_WORKER)
        assert [result.item.index for result in results(events)] == [0]


async def test_a_cancelled_run_waits_no_more(tmp_path: Path):
    async with world(tmp_path, echo) as made:
        host(made).set(absent=NOBODY)
        await made.start(3)
        await made.clock.sleepers(1)
        await made.manager.cancel("exp_1")
        assert waiting(await made.events())[-1] == "CANCELLED"


async def test_workers_hear_of_each_trial_and_of_the_run_when_it_is_stored(tmp_path: Path):
    async with world(tmp_path, echo) as made:
        hosting = host(made)
        seen: list[int] = []
        commit = made.store.commit

        async def counted(batch: Any) -> None:
            seen.append(len(hosting.told))
            await commit(batch)

        made.store.commit = counted  # type: ignore[method-assign,assignment]

        async def judge(_: Any) -> list[Any]:
            return []

        made.run_judge(judge, "nothing")
        await made.start(2, max_concurrency=1)
        await made.events()
        async with asyncio.timeout(SECONDS):
            await hosting.closed.wait()
        assert hosting.told == [trace_id("exp_1", f"item-{index}", 1) for index in range(2)] + ["exp_1"]
        assert seen[-1] == 3
