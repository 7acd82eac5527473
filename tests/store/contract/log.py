"""What every store does with the log of an experiment."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from msgspec.structs import replace

from evalrpc_server import failpoints
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Checkpoint, Event, EventBody, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.store import group_commit
from evalrpc_server.store.port import Commit, Store, StoreError
from tests.store.backends import Backend
from tests.store.builders import START, add_results, advance, create, make_items, make_result


async def all_events(store: Store, experiment_id: str = "e1", *, limit: int = 1000) -> list[Event]:
    events: list[Event] = []
    while page := await store.read_events(
        experiment_id, after=events[-1].sequence if events else 0, limit=limit
    ):
        events.extend(page)
    return events


def chain(experiment: Experiment, count: int) -> list[Commit]:
    """One commit per item, each going on from the one before."""
    commits = []
    for item in make_items(count):
        commits.append(advance(experiment, [make_result(item)]))
        experiment = commits[-1].experiment
    return commits


class LogContract:
    async def test_events_of_every_kind_come_back_exactly(self, store: Store):
        experiment = await create(store, items=3)
        items = make_items(3)
        evaluations = RunEvaluations(
            (Evaluation(name="mean", value=0.1 + 0.2), Evaluation(name="n", unscored="none"))
        )
        bodies: list[EventBody] = [
            experiment,
            make_result(items[2]),
            make_result(items[0], failed=True),
            evaluations,
            experiment,
        ]
        commit = advance(experiment, bodies, state=State.SUCCEEDED)
        await store.commit(commit)
        assert (await all_events(store))[1:] == list(commit.events)
        assert await store.get_experiment("e1") == commit.experiment

    async def test_commits_at_the_same_time_keep_their_order(self, store: Store):
        experiment = await create(store, items=200)
        commits = chain(experiment, 200)
        await asyncio.gather(*(store.commit(commit) for commit in commits))
        events = await all_events(store)
        assert [event.sequence for event in events] == list(range(1, 202))
        assert events[1:] == [commit.events[0] for commit in commits]
        assert await store.get_experiment("e1") == commits[-1].experiment

    async def test_commits_that_wait_together_share_transactions(
        self, store: Store, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ):
        experiment = await create(store, items=100)
        passes: list[str] = []
        monkeypatch.setattr(failpoints, "reach", passes.append)
        with backend.writes_waiting():
            tasks = [asyncio.create_task(store.commit(commit)) for commit in chain(experiment, 100)]
            await store.get_experiment("e1")  # by then the writer has begun with the first of them
        await asyncio.gather(*tasks)
        assert passes.count("store.before_execute") == passes.count("store.after_commit") <= 3
        assert len(await all_events(store)) == 101

    async def test_a_full_queue_makes_writers_wait_in_order(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(group_commit, "MAX_WAITING_WRITES", 3)
        monkeypatch.setattr(group_commit, "MAX_BATCH_WRITES", 2)
        experiment = await create(store, items=60)
        commits = chain(experiment, 60)
        await asyncio.gather(*(store.commit(commit) for commit in commits))
        assert await store.get_experiment("e1") == commits[-1].experiment

    async def test_a_text_bound_of_the_queue_lets_large_writes_through_one_by_one(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(group_commit, "MAX_WAITING_SIZE", 100)
        monkeypatch.setattr(group_commit, "MAX_BATCH_SIZE", 100)
        experiment = await create(store, items=20)
        commits = chain(experiment, 20)
        await asyncio.gather(*(store.commit(commit) for commit in commits))
        assert len(await all_events(store)) == 21

    async def test_one_bad_commit_in_a_batch_fails_alone(self, store: Store):
        experiments = [await create(store, f"e{number}", items=2) for number in range(20)]
        commits = [advance(experiment, [make_result(make_items(1)[0])]) for experiment in experiments]
        commits[7] = replace(commits[7], experiment=replace(commits[7].experiment, id="unknown"))
        outcomes = await asyncio.gather(*(store.commit(commit) for commit in commits), return_exceptions=True)
        assert [number for number, outcome in enumerate(outcomes) if outcome is not None] == [7]
        assert isinstance(outcomes[7], StoreError)
        for number in range(20):
            assert len(await all_events(store, f"e{number}")) == (1 if number == 7 else 2)
        assert await all_events(store, "unknown") == []

    async def test_a_chain_breaks_at_a_bad_commit_and_keeps_what_came_before(self, store: Store):
        experiment = await create(store, items=10)
        commits = chain(experiment, 10)
        duplicate = replace(commits[4].events[0], body=commits[0].events[0].body)
        commits[4] = replace(commits[4], events=[duplicate])
        outcomes = await asyncio.gather(*(store.commit(commit) for commit in commits), return_exceptions=True)
        assert [outcome is None for outcome in outcomes] == [True] * 4 + [False] * 6
        assert await store.get_experiment("e1") == commits[3].experiment
        assert len(await all_events(store)) == 5

    @pytest.mark.parametrize("shift", [-1, 1, 5])
    async def test_a_commit_that_does_not_go_on_where_the_log_ends_is_refused(self, store: Store, shift: int):
        experiment = await create(store)
        wrong = replace(experiment, sequence=experiment.sequence + shift)
        with pytest.raises(StoreError):
            await store.commit(advance(wrong, [make_result(make_items(1)[0])]))
        assert await store.get_experiment("e1") == experiment
        assert len(await all_events(store)) == 1

    async def test_a_commit_with_a_gap_inside_is_refused(self, store: Store):
        experiment = await create(store)
        commit = advance(experiment, [make_result(item) for item in make_items(3)])
        with pytest.raises(StoreError):
            await store.commit(replace(commit, events=[commit.events[0], commit.events[2]]))
        with pytest.raises(StoreError):
            await store.commit(replace(commit, experiment=experiment))
        assert len(await all_events(store)) == 1

    async def test_a_commit_without_events_changes_the_experiment_alone(self, store: Store):
        experiment = await create(store)
        changed = replace(experiment, progress=replace(experiment.progress, retried=9))
        await store.commit(Commit(experiment=changed, events=[]))
        assert await store.get_experiment("e1") == changed

    async def test_the_same_commit_again_is_stored_once(self, store: Store):
        experiment = await create(store)
        commit = advance(experiment, [make_result(item) for item in make_items(2)])
        await store.commit(commit)
        await store.commit(commit)
        assert (await all_events(store))[1:] == list(commit.events)
        other = advance(experiment, [make_result(item, output='"other"') for item in make_items(2)])
        with pytest.raises(StoreError):
            await store.commit(other)

    async def test_a_second_result_of_a_trial_is_refused_with_all_of_its_commit(self, store: Store):
        first, second, _ = make_items(3)
        experiment = await add_results(store, await create(store), [make_result(first)])
        with pytest.raises(StoreError):
            await store.commit(advance(experiment, [make_result(second), make_result(first)]))
        assert await store.get_experiment("e1") == experiment
        experiment = await add_results(store, experiment, [make_result(second), make_result(first, trial=2)])
        assert len(await all_events(store)) == 4

    async def test_a_result_of_an_item_that_is_not_stored_is_refused(self, store: Store):
        experiment = await create(store, items=3)
        with pytest.raises(StoreError):
            await store.commit(advance(experiment, [make_result(make_items(4)[3])]))
        assert len(await all_events(store)) == 1

    async def test_a_checkpoint_is_never_stored(self, store: Store):
        experiment = await create(store)
        event = Event(sequence=2, time=START, progress=experiment.progress, body=Checkpoint())
        with pytest.raises(StoreError):
            await store.commit(Commit(experiment=replace(experiment, sequence=2), events=[event]))

    async def test_pages_are_bounded_by_count_and_text_and_hold_at_least_one(self, store: Store):
        experiment = await create(store, items=10, size=1000)
        await add_results(store, experiment, [make_result(item) for item in make_items(10, size=1000)])
        assert [event.sequence for event in await store.read_events("e1", after=3, limit=4)] == [4, 5, 6, 7]
        assert len(await store.read_events("e1", after=1, limit=10, characters=1)) == 1
        some = await store.read_events("e1", after=1, limit=10, characters=8000)
        assert 1 < len(some) < 8
        assert list(await store.read_events("e1", after=11, limit=10)) == []
        assert [event.sequence for event in await all_events(store, limit=3)] == list(range(1, 12))

    async def test_a_log_read_while_it_grows_shows_each_event_once(self, store: Store):
        experiment = await create(store, items=150)
        commits = chain(experiment, 150)
        writing = asyncio.gather(*(store.commit(commit) for commit in commits))
        seen: list[Event] = []
        while len(seen) < 151:
            seen.extend(await store.read_events("e1", after=seen[-1].sequence if seen else 0, limit=7))
        await writing
        assert [event.sequence for event in seen] == list(range(1, 152))

    async def test_a_cancelled_writer_harms_no_other(self, store: Store):
        experiment = await create(store, items=20)
        commits = chain(experiment, 20)
        tasks = [asyncio.create_task(store.commit(commit)) for commit in commits]
        await asyncio.sleep(0)
        for task in tasks[5:10]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[5:10])
        assert cast(list[object], outcomes[:5] + outcomes[10:]) == [None] * 15
        assert await store.get_experiment("e1") == commits[-1].experiment
