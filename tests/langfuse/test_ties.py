"""Ties of callers' traces on servers with run items: one run item for each, whatever happens to the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from evalrpc_server.domain.datasets import Link
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.ties import RunItem, RunItems
from tests.langfuse.hosted import HastyClock, api_of, items
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings

LINK = Link(
    dataset_name="d",
    dataset_item_id="item-1",
    run_name="nightly",
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    observation_id="00f067aa0ba902b7",
)


class Clock(HastyClock):
    """A hasty clock that can be stopped: who sleeps then, sleeps for good."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False
        self.asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.stopped:
            self.asleep.set()
            await asyncio.Event().wait()
        await super().sleep(seconds)


class Ties:
    """The run items of a stand-in's project, and the means to ask for them."""

    def __init__(self, standin: LangfuseStandIn, run_items: RunItems, clock: Clock) -> None:
        self.standin = standin
        self.clock = clock
        self._run_items = run_items

    async def make(self) -> RunItem:
        dataset = self.standin.project().datasets.get("d")
        return await self._run_items.make(LINK, dataset.id, with_version=False)

    @property
    def there(self) -> list[str]:
        return [item.id for run in self.standin.project().runs.all() for item in run.items]


@pytest.fixture
async def ties() -> AsyncIterator[Ties]:
    async with LangfuseStandIn(Settings(mode="legacy")) as standin:
        standin.project().datasets.load("d", items(3))
        clock = Clock()
        async with api_of(standin, clock) as api:
            yield Ties(standin, RunItems(api, clock), clock)


@pytest.mark.parametrize("kind", ["lost", "cut", "500", "503"])
async def test_a_lost_answer_is_made_up_for(ties: Ties, kind: str):
    ties.standin.faults.add(Fault((kind,), path="dataset-run-items", method="POST", times=2))
    made = await ties.make()
    assert ties.there == [made.id]


async def test_who_asks_again_gets_the_same(ties: Ties):
    made = await ties.make()
    assert await asyncio.gather(*(ties.make() for _ in range(3))) == [made] * 3
    assert ties.there == [made.id]


async def test_a_caller_who_left_may_ask_again(ties: Ties):
    ties.standin.faults.add(Fault(("lost",), path="dataset-run-items", method="POST", times=1))
    ties.clock.stopped = True
    leaving = asyncio.create_task(ties.make())
    async with asyncio.timeout(30):
        await ties.clock.asleep.wait()
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    ties.clock.stopped = False
    made = await ties.make()
    assert ties.clock.slept > 5
    assert ties.there == [made.id]


async def test_a_refusal_is_told_and_leaves_no_doubt(ties: Ties):
    ties.standin.faults.add(Fault(("400",), path="dataset-run-items", method="POST", times=1))
    with pytest.raises(ApiError, match="400"):
        await ties.make()
    assert [(await ties.make()).id] == ties.there
    assert ties.clock.slept < 1
