"""Every call ends once, whatever workers do."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.work import Answered, HandedBack, Outcome, WorkerLostError
from tests.runner.world import ManualClock
from tests.workers.scripted import LEASE, ScriptedWorker, pass_time, settle, supervised, work

CALLS = 60
MOST = 5
STEPS = 3000


class Chaos:
    """Workers that come, go, die, come back, hand back, and report late and twice."""

    def __init__(self, hub: Workers, clock: ManualClock, seed: int) -> None:
        self.hub = hub
        self.clock = clock
        self.source = random.Random(seed)
        self.ends: Counter[int] = Counter()
        self.workers = [ScriptedWorker(hub, f"w{number}", max_in_flight=MOST) for number in range(4)]

    async def ask(self, number: int) -> Outcome:
        """Makes a call, again where it is lost, as targets do."""
        while True:
            try:
                outcome = await self.hub.call(work(unit=f"u{number}"))
            except WorkerLostError:
                continue
            self.ends[number] += 1
            return outcome

    async def step(self) -> None:
        """Lets one worker do something."""
        worker = self.source.choice(self.workers)
        actions: list[Callable[[ScriptedWorker], Awaitable[None]]] = [
            self.grant, self.grant, self.report, self.report, self.beat, self.beat, self.wait,
            self.cut, self.connect, self.hand_back,
        ]  # fmt: skip
        await self.source.choice(actions)(worker)
        assert len(worker.session.worker.leases) <= MOST
        await settle()

    async def calm(self) -> None:
        """Lets all workers do what they should."""
        for worker in self.workers:
            worker.connect()
            worker.beat(*worker.tokens)
            worker.grant(MOST)
            for token in worker.tokens:
                worker.report(token)
        await pass_time(self.clock, LEASE + 1)

    async def grant(self, worker: ScriptedWorker) -> None:
        worker.grant(self.source.randint(1, MOST))

    async def report(self, worker: ScriptedWorker) -> None:
        if worker.tokens:
            worker.report(self.source.choice(worker.tokens))

    async def hand_back(self, worker: ScriptedWorker) -> None:
        if worker.tokens:
            worker.report(self.source.choice(worker.tokens), HandedBack("no"))

    async def beat(self, worker: ScriptedWorker) -> None:
        worker.beat(*self.source.sample(worker.tokens, self.source.randint(0, len(worker.tokens))))

    async def cut(self, worker: ScriptedWorker) -> None:
        self.hub.disconnect(worker.session, for_good=self.source.random() < 0.3)

    async def connect(self, worker: ScriptedWorker) -> None:
        worker.connect()

    async def wait(self, _: ScriptedWorker) -> None:
        await pass_time(self.clock, self.source.choice([0.1, 1, LEASE / 2, LEASE + 1]))


@pytest.mark.parametrize("seed", range(20))
async def test_every_call_ends_once(seed: int):
    async with supervised() as (hub, clock):
        chaos = Chaos(hub, clock, seed)
        calls = [asyncio.create_task(chaos.ask(number)) for number in range(CALLS)]
        for _ in range(STEPS):
            await chaos.step()
            if all(call.done() for call in calls):
                break
        while not all(call.done() for call in calls):
            await chaos.calm()
        assert chaos.ends == dict.fromkeys(range(CALLS), 1)
        assert all(isinstance(call.result(), Answered) for call in calls)
        for worker in chaos.workers:
            assert worker.session.worker.leases == {}
