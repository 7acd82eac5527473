"""Watching: ordered, unique, reliable, resumable, bookmarkable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.domain.errors import OutOfRangeError, UnavailableError
from evalrpc_server.domain.events import Checkpoint, Event
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.runner import manager, recorder
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import SECONDS, echo, results, world


async def test_many_watchers_see_the_same_events(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(300)
        every = await asyncio.gather(*(made.events() for _ in range(50)))
    sequences = [[event.sequence for event in events] for events in every]
    assert all(numbers == list(range(1, 305 - 1)) for numbers in sequences)


async def test_a_watch_resumes_behind_any_sequence_even_after_the_end(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(30)
        every = await made.events()
        for after in range(len(every) + 1):
            assert await made.events(after=after) == every[after:]
    async with world(tmp_path, echo) as again:
        assert await again.events(after=10) == every[10:]


async def test_a_watcher_that_fell_behind_reads_on_from_the_store(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(5000, max_concurrency=200)
        async with aclosing(made.manager.watch("exp_1")) as slow:
            first = await anext(slow)
            fast = await made.events()
            rest = [published.event async for published in slow]
    assert [first.event, *rest] == fast
    assert len(results(fast)) == 5000


async def test_a_watcher_that_reads_keeps_up_with_instant_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_WATCHERS_SECONDS_PER_EVENT", 1.0)  # however slow the machine
    async with world(tmp_path, echo) as made:
        pages: list[int] = []
        read_events = made.store.read_events

        async def counted(*args: Any, **options: Any) -> Sequence[Event]:
            page = await read_events(*args, **options)
            pages.append(len(page))
            return page

        monkeypatch.setattr(made.store, "read_events", counted)
        await made.start(5000, max_concurrency=100)
        seen = 0
        async for _ in made.manager.watch("exp_1"):
            seen += 1
            for _ in range(25):  # turns of the loop that sending it takes
                await asyncio.sleep(0)
    assert seen == 5000 + 3
    assert sum(pages) < 100, "all but the beginning came live"


async def test_a_watcher_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(3000, max_concurrency=100)
        async with aclosing(made.manager.watch("exp_1")) as stuck:
            await anext(stuck)
            assert len(results(await made.events())) == 3000


async def test_a_sequence_that_is_not_reached_is_out_of_range(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(2)
        last = (await made.events())[-1].sequence
        with pytest.raises(OutOfRangeError) as refused:
            await made.events(after=last + 1)
    assert refused.value.reason is Reason.SEQUENCE_NOT_REACHED
    assert refused.value.metadata["last_sequence"] == str(last)


async def test_silence_is_filled_with_checkpoints_that_take_no_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "CHECKPOINT_SECONDS", 0.01)
    release = asyncio.Event()

    async def task(call: TaskCall) -> TaskAnswer:
        await release.wait()
        return await echo(call)

    seen: list[Event] = []
    async with world(tmp_path, task) as made, asyncio.timeout(SECONDS):
        await made.start(1)
        async for published in made.manager.watch("exp_1"):
            seen.append(published.event)
            if isinstance(published.event.body, Checkpoint):
                release.set()
    checkpoints = [event for event in seen if isinstance(event.body, Checkpoint)]
    assert checkpoints
    for before, event in pairwise(seen):
        assert event.sequence == before.sequence + (0 if event in checkpoints else 1)
    assert [event.sequence for event in seen if event not in checkpoints] == [1, 2, 3, 4]


async def test_a_shutdown_ends_a_watch_with_a_checkpoint_and_a_retryable_error(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index:
            await asyncio.Event().wait()
        return await echo(call)

    seen: list[Event] = []
    async with world(tmp_path, task) as made:
        await made.start(2)

        async def watch() -> None:
            async for published in made.manager.watch("exp_1"):
                seen.append(published.event)
                if published.event.sequence == 3:
                    got_result.set()

        got_result = asyncio.Event()
        watching = asyncio.create_task(watch())
        await got_result.wait()
        await made.manager.drain(0)
        with pytest.raises(UnavailableError) as ended:
            await watching
    assert ended.value.reason is Reason.DRAINING
    assert ended.value.retry_after > 0
    assert ended.value.metadata["last_sequence"] == "3"
    assert seen[-1].body == Checkpoint(draining=True)
    assert seen[-1].sequence == 3
