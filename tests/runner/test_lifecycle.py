"""An experiment's life: acceptance, cancellation, shutdown, and going on after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from evalrpc_server.datasets.port import DataSourceError, ItemPage
from evalrpc_server.domain.errors import AlreadyExistsError, Error, NotFoundError, UnavailableError
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.runner import manager
from evalrpc_server.store.port import Commit, StoreError
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import SECONDS, echo, failure, items, new_experiment, results, world


def _until(release: asyncio.Event, *, free: int):
    """A task that answers at once for the first items and waits for the others."""

    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index >= free:
            await release.wait()
        return await echo(call)

    return task


async def test_the_same_request_joins_and_another_under_its_id_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        first = await made.start(3, id="exp_1", request_id="r1")
        again = await made.start(3, id="exp_2", request_id="r1")
        assert again.id == first.id == "exp_1"
        assert len(results(await made.events())) == 3
        assert len(made.target.calls) == 3
        with pytest.raises(AlreadyExistsError) as refused:
            await made.start(4, id="exp_3", request_id="r1")
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert refused.value.metadata == {"request_id": "r1", "experiment_id": "exp_1"}


async def test_what_is_accepted_runs_although_its_caller_left_before_the_answer(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        starting = asyncio.create_task(made.start(3, request_id="r1"))
        while not starting.cancelled():
            await asyncio.sleep(0)
            starting.cancel()
        again = await made.start(3, id="exp_2", request_id="r1")
        assert again.id == "exp_1"
        assert len(results(await made.events())) == 3


async def test_a_caller_that_leaves_before_the_answer_can_have_its_run_stopped(tmp_path: Path) -> None:
    async with world(tmp_path, _until(asyncio.Event(), free=0)) as made:
        starting = asyncio.create_task(made.start(3, request_id="r1", stop_if_left=True))
        await asyncio.sleep(0)
        starting.cancel()
        assert (await made.start(3, id="exp_2", request_id="r1")).id == "exp_1"
        last = (await made.events())[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.CANCELLED


async def test_a_drain_waits_for_what_is_just_being_accepted(tmp_path: Path) -> None:
    async with world(tmp_path, _until(asyncio.Event(), free=0)) as made:
        starting = asyncio.create_task(made.start(3))
        await asyncio.sleep(0)
        await made.manager.drain(0)
        assert starting.done()
        assert made.target.in_flight == 0
    async with world(tmp_path, echo) as again:
        await again.manager.recover()
        assert len(results(await again.events())) == 3


async def test_cancel_cuts_off_what_is_in_flight_and_records_it(tmp_path: Path) -> None:
    async with world(tmp_path, _until(asyncio.Event(), free=2)) as made:
        await made.start(100, max_concurrency=5)
        await made.target.called(7)
        cancelled = await made.manager.cancel("exp_1")
        assert cancelled.state in {State.CANCELLING, State.CANCELLED}
        events = await made.events()
        again = await made.manager.cancel("exp_1")
    states = [event.body.state for event in events if isinstance(event.body, Experiment)]
    assert states == [State.PENDING, State.RUNNING, State.CANCELLING, State.CANCELLED]
    found = results(events)
    assert len(found) == 7
    errors = [result.outcome.error.reason for result in found if result.outcome.error]
    assert errors == [Reason.CANCELLED] * 5
    assert events[-1].progress.in_flight == 0
    assert again.state is State.CANCELLED
    assert made.target.in_flight == 0


async def test_what_was_tried_before_the_cancellation_is_told(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.attempt == 1 and call.item.index:
            raise failure(retryable=True)
        await asyncio.Event().wait()
        return await echo(call)

    async with world(tmp_path, task) as made:
        await made.start(2, retry={"initial_backoff": 2.0})
        await made.target.called(2)
        await made.clock.sleepers(1)
        made.clock.advance(2.0)
        await made.target.called(3)
        made.clock.advance(5.0)
        await made.manager.cancel("exp_1")
        first, second = sorted(results(await made.events()), key=lambda result: result.item.index)
    assert (first.outcome.attempts, first.outcome.task_duration, first.outcome.retries) == (1, 7.0, ())
    assert (second.outcome.attempts, second.outcome.task_duration) == (2, 5.0)
    assert [retry.error.reason for retry in second.outcome.retries] == [Reason.TASK_HTTP_STATUS]


async def test_an_experiment_that_waits_for_its_turn_can_be_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path, _until(asyncio.Event(), free=0), max_running=1) as made:
        await made.start(1, id="first")
        await made.target.called(1)
        waiting = await made.start(1, id="second")
        assert waiting.state is State.PENDING
        await made.manager.cancel("second")
        states = [
            event.body.state for event in await made.events("second") if isinstance(event.body, Experiment)
        ]
    assert states == [State.PENDING, State.CANCELLING, State.CANCELLED]


async def test_experiments_beyond_the_limit_run_one_after_another(tmp_path: Path) -> None:
    release = asyncio.Event()
    async with world(tmp_path, _until(release, free=0), max_running=1) as made:
        await made.start(1, id="first")
        await made.start(1, id="second")
        await made.target.called(1)
        assert (await made.manager.get("second")).state is State.PENDING
        release.set()
        assert (await made.events("first"))[-1].sequence == 4
        assert (await made.events("second"))[-1].sequence == 4


async def test_a_drained_run_finishes_what_is_in_flight_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    release = asyncio.Event()
    async with world(tmp_path, _until(release, free=3)) as made:
        await made.start(10, max_concurrency=2)
        await made.target.called(5)
        draining = asyncio.create_task(made.manager.drain(grace=20))
        await asyncio.sleep(0)
        release.set()
        await draining
        assert len(made.target.calls) == 5
        with pytest.raises(UnavailableError) as refused:
            await made.start(1, id="exp_2")
        assert refused.value.reason is Reason.DRAINING
    async with world(tmp_path, echo) as again:
        await again.manager.recover()
        events = await again.events()
        assert sorted(call.item.index for call in again.target.calls) == [5, 6, 7, 8, 9]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sorted(result.item.index for result in results(events)) == list(range(10))
    assert events[-1].progress.completed == 10


async def test_what_does_not_finish_in_the_grace_period_is_handed_back(tmp_path: Path) -> None:
    async with world(tmp_path, _until(asyncio.Event(), free=1)) as made:
        await made.start(4, max_concurrency=4)
        await made.target.called(4)
        async with aclosing(made.manager.watch("exp_1", after=2)) as watch:
            assert (await anext(watch)).event.sequence == 3
        await made.manager.drain(grace=0.01)
        assert made.target.in_flight == 0
    async with world(tmp_path, echo) as again:
        await again.manager.recover()
        found = results(await again.events())
    assert sorted(result.item.index for result in found) == [0, 1, 2, 3]
    assert not any(result.failed for result in found)


async def test_a_cancelled_run_that_was_interrupted_ends_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        experiment = new_experiment(2)
        await made.store.create_experiment(Commit(experiment=experiment, events=[]), items=items(2))
    async with world(tmp_path, _until(asyncio.Event(), free=0)) as made:
        await made.manager.recover()
        await made.target.called(2)
        await made.manager.drain(0)
    async with world(tmp_path, echo) as made:
        await made.manager.recover()
        await made.manager.cancel("exp_1")
        events = await made.events()
    last = events[-1].body
    assert isinstance(last, Experiment)
    assert last.state in {State.CANCELLED, State.SUCCEEDED}


async def test_an_experiment_that_nobody_knows_is_not_found(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        for call in (made.manager.get("none"), made.manager.cancel("none"), made.events("none")):
            with pytest.raises(NotFoundError) as missing:
                await call
            assert missing.value.reason is Reason.EXPERIMENT_NOT_FOUND


class _Pages:
    """A data source of two pages that waits before the second, and may fail there."""

    def __init__(self, error: Error | None = None) -> None:
        self.go_on = asyncio.Event()
        self.cursors: list[str] = []
        self._error = error

    async def pages(self, *, cursor: str, first_index: int) -> AsyncIterator[ItemPage]:
        self.cursors.append(cursor)
        every = items(6)
        if not cursor:
            assert first_index == 0
            yield ItemPage(items=every[:3], cursor="page-2", last=False)
        await self.go_on.wait()
        if self._error:
            raise DataSourceError(self._error)
        yield ItemPage(items=every[3:], cursor="", last=True)

    async def aclose(self) -> None:
        return


async def test_fetched_data_runs_as_it_arrives_and_is_fetched_once(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        made.source = first = _Pages()
        await made.manager.start(_fetched())
        await made.target.called(3)
        assert (await made.manager.get("exp_1")).progress.total is None
        await made.manager.drain(5)
    async with world(tmp_path, echo) as made:
        made.source = second = _Pages()
        second.go_on.set()
        await made.manager.recover()
        events = await made.events()
    assert (first.cursors, second.cursors) == ([""], ["page-2"])
    assert sorted(result.item.index for result in results(events)) == list(range(6))
    assert events[-1].progress.total == 6


async def test_data_that_cannot_be_read_ends_the_experiment_with_the_reason(tmp_path: Path) -> None:
    error = Error(reason=Reason.DATASET_NOT_FOUND, message="Langfuse has no dataset of this name.")
    async with world(tmp_path, echo) as made:
        made.source = source = _Pages(error)
        source.go_on.set()
        await made.manager.start(_fetched())
        last = (await made.events())[-1].body
    assert isinstance(last, Experiment)
    assert (last.state, last.error) == (State.FAILED, error)


def _fetched() -> Experiment:
    return new_experiment(1, items=None, langfuse_dataset={"name": "capitals"})


class _FailingReporter:
    def locate(self, result: ItemResult) -> ItemResult:
        return result

    def item_records(self, _experiment: Experiment, _result: ItemResult, /):
        raise RuntimeError("a bug")

    def run_records(self, _experiment: Experiment, _evaluations: Sequence[Evaluation], /):
        raise RuntimeError("a bug")

    async def flush(self, _experiment: Experiment, /):
        raise RuntimeError("a bug")

    async def status(self, _experiment: Experiment, /):
        raise RuntimeError("a bug")


async def test_a_bug_in_reporting_costs_no_result(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        made.report = _FailingReporter()
        await made.start(5)
        events = await made.events()
    assert len(results(events)) == 5
    last = events[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.SUCCEEDED


async def test_a_store_that_fails_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, echo) as made:
        commit, failures = made.store.commit, 3

        async def failing(change: Commit) -> None:
            nonlocal failures
            if failures and any(isinstance(event.body, ItemResult) for event in change.events):
                failures -= 1
                raise StoreError("the disk is gone")
            await commit(change)

        monkeypatch.setattr(made.store, "commit", failing)
        await made.start(20)
        for _ in range(3):
            (pause,) = await made.clock.sleepers(1)
            made.clock.advance(pause)
        events = await made.events()
    assert sorted(result.item.index for result in results(events)) == list(range(20))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_run_with_an_endless_retry_still_drains(tmp_path: Path) -> None:
    async def task(_: TaskCall) -> TaskAnswer:
        raise failure(retryable=True, retry_after=120.0)

    async with world(tmp_path, task) as made:
        await made.start(3)
        await made.clock.sleepers(3)
        await made.manager.drain(0.01)
    async with world(tmp_path, echo) as again:
        await again.manager.recover()
        assert len(results(await again.events())) == 3


async def test_a_store_that_never_answers_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "_DRAIN_SECONDS", 0.05)
    async with world(tmp_path, _until(asyncio.Event(), free=0)) as made:
        await made.start(1)
        await made.target.called(1)

        async def silent(_: Commit) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(made.store, "commit", silent)
        made.manager.stop("exp_1")
        async with asyncio.timeout(SECONDS):
            await made.manager.drain(0.01)
    async with world(tmp_path, echo) as again:
        await again.manager.recover()
        last = (await again.events())[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.SUCCEEDED
