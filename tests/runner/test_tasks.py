"""Task calls: slots, retries, time-outs, and what becomes of failures."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import ManualClock, answer, echo, failure, results, world


async def test_every_item_has_one_result_and_the_experiment_succeeds(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(250, max_concurrency=7)
        events = await made.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert Counter(result.item.index for result in results(events)) == Counter(range(250))
    assert all(result.outcome.output == result.item.input for result in results(events))
    last = events[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.SUCCEEDED
    assert (last.progress.total, last.progress.completed, last.progress.failed) == (250, 250, 0)
    assert made.target.peak <= 7
    assert made.target.closed


async def test_a_slot_is_refilled_while_the_slowest_item_is_still_running(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index == 0:
            await release.wait()
        return answer(call.item.index)

    async with world(tmp_path, task) as made:
        await made.start(40, max_concurrency=2)
        await made.target.called(40)
        release.set()
        assert len(results(await made.events())) == 40


async def test_a_retryable_failure_is_repeated_after_a_growing_wait(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.attempt < 3:
            raise failure(retryable=True)
        return answer("good")

    async with world(tmp_path, task) as made:
        await made.start(1, retry={"max_attempts": 3, "initial_backoff": "1s", "multiplier": 2})
        assert await made.clock.sleepers(1) == [1.0]
        made.clock.advance(1.0)
        await made.target.called(2)
        assert await made.clock.sleepers(1) == [2.0]
        made.clock.advance(2.0)
        events = await made.events()
    (result,) = results(events)
    assert (result.outcome.attempts, result.outcome.output, result.outcome.error) == (3, '"good"', None)
    assert [retry.error.reason for retry in result.outcome.retries] == [Reason.TASK_HTTP_STATUS] * 2
    assert events[-1].progress.retried == 2


async def test_an_endpoint_that_asks_for_a_longer_wait_gets_it(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.attempt == 1:
            raise failure(retryable=True, retry_after=90.0)
        return answer("good")

    async with world(tmp_path, task) as made:
        await made.start(1)
        assert await made.clock.sleepers(1) == [90.0]
        made.clock.advance(90.0)
        assert len(results(await made.events())) == 1


async def test_a_waiting_retry_holds_no_slot(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index == 0 and call.attempt == 1:
            raise failure(retryable=True, retry_after=60.0)
        return answer("good")

    async with world(tmp_path, task) as made:
        await made.start(20, max_concurrency=1)
        await made.target.called(20)
        await made.clock.sleepers(1)
        made.clock.advance(60.0)
        events = await made.events()
    assert [result.item.index for result in results(events)] == [*range(1, 20), 0]


async def test_attempts_end_at_the_limit_and_the_last_error_is_kept(tmp_path: Path) -> None:
    async def task(_: TaskCall) -> TaskAnswer:
        raise failure(retryable=True)

    async with world(tmp_path, task) as made:
        await made.start(1, retry={"max_attempts": 2, "initial_backoff": "1s"})
        await made.clock.sleepers(1)
        made.clock.advance(1.0)
        events = await made.events()
    (result,) = results(events)
    assert result.failed
    assert (result.outcome.attempts, len(made.target.calls)) == (2, 2)
    assert (events[-1].progress.failed, events[-1].progress.completed) == (1, 1)


async def test_a_failure_that_is_not_retryable_is_final_and_spoils_nothing_else(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index == 3:
            raise failure(retryable=False)
        return answer("good")

    async with world(tmp_path, task) as made:
        await made.start(10)
        events = await made.events()
    assert [result.item.index for result in results(events) if result.failed] == [3]
    assert len(made.target.calls) == 10
    last = events[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.SUCCEEDED


async def test_a_task_that_hangs_is_cut_off_after_its_time(tmp_path: Path) -> None:
    cut_off = asyncio.Event()

    async def task(_: TaskCall) -> TaskAnswer:
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()
        raise AssertionError

    async with world(tmp_path, task) as made:
        await made.start(1, task_timeout="0.05s")
        (result,) = results(await made.events())
    assert cut_off.is_set()
    assert result.outcome.error
    assert result.outcome.error.reason is Reason.TASK_TIMEOUT
    assert "task_timeout" in result.outcome.error.message


async def test_an_attempt_that_timed_out_is_repeated_where_asked(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.attempt == 1:
            await asyncio.Event().wait()
        return answer("in time")

    clock = ManualClock()
    async with world(tmp_path, task, clock=clock) as made:
        http = {"url": "http://127.0.0.1:1/", "retry_timeouts": True}
        await made.start(1, task={"http": http}, task_timeout="0.05s")
        await clock.sleepers(1)
        clock.advance(60)
        (result,) = results(await made.events())
    assert result.outcome.output == answer("in time").output
    assert [attempt.error.reason for attempt in result.outcome.retries] == [Reason.TASK_TIMEOUT]


async def test_a_bug_in_a_target_is_the_items_error_and_tells_no_text(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index == 0:
            raise ValueError("the password is hunter2")
        return answer("good")

    async with world(tmp_path, task) as made:
        await made.start(2)
        found = results(await made.events())
    (broken,) = [result for result in found if result.failed]
    assert broken.outcome.error
    assert broken.outcome.error.reason is Reason.INTERNAL
    assert "hunter2" not in repr(broken)
    assert broken.outcome.error.metadata["error_id"].startswith("err_")


async def test_repetitions_are_trials_with_traces_of_their_own(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(4, repetitions=3)
        found = results(await made.events())
    assert sorted((result.item.index, result.trial) for result in found) == [
        (index, trial) for index in range(4) for trial in (1, 2, 3)
    ]
    assert len({result.trace_id for result in found}) == 12
    assert {(call.trace_id, call.item.index) for call in made.target.calls} == {
        (result.trace_id, result.item.index) for result in found
    }


async def test_a_dry_run_takes_the_first_items_only(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        await made.start(1200, dry_run_items=3, repetitions=2)
        events = await made.events()
    assert {result.item.index for result in results(events)} == {0, 1, 2}
    assert events[-1].progress.total == 6
