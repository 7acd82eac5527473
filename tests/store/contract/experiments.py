"""What every store does with experiments as resources."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Progress, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.store.port import PAGE_CHARACTERS, Creation, InvalidCursorError, Store, StoreError
from tests.store.builders import START, advance, create, make_experiment, make_items, make_spec


async def create_by_request(store: Store, experiment_id: str, fingerprint: str = "f") -> Creation:
    experiment = make_experiment(experiment_id)
    return await store.create_experiment(
        advance(experiment, [experiment]), request_id="request", fingerprint=fingerprint, items=make_items(2)
    )


class ExperimentContract:
    async def test_a_new_experiment_is_stored_with_its_first_event_and_its_items(self, store: Store):
        experiment = await create(store, items=3)
        assert await store.get_experiment("e1") == experiment
        assert [event.body for event in await store.read_events("e1", after=0, limit=10)] == [experiment]
        collection = await store.get_collection(experiment.items)
        assert collection is not None
        assert (collection.count, collection.complete) == (3, True)
        assert list(await store.read_items(experiment.items, after=-1, limit=10)) == make_items(3)

    async def test_every_field_of_an_experiment_comes_back(self, store: Store):
        created = await create(store)
        ended = replace(
            created,
            spec=created.spec,
            state=State.FAILED,
            progress=Progress(total=None, completed=2, failed=1, retried=3, in_flight=4),
            start_time=START,
            end_time=START + timedelta(microseconds=1),
            error=Error(reason=Reason.NO_WORKER, message="Zürich, 東京 \u0000", metadata={"worker": "w"}),
        )
        commit = advance(ended, [ended], state=State.FAILED)
        await store.commit(commit)
        assert await store.get_experiment("e1") == commit.experiment

    async def test_a_spec_comes_back_exactly(self, store: Store):
        spec = make_spec(
            task_timeout=86399.123456789,
            evaluator_timeout=0.000001,
            metadata={"deep": [{"n": None, "f": 0.1 + 0.2, "i": 2**60, "t": "ü\u2028"}]},
            retry={"max_attempts": 7, "initial_backoff": "0.1s", "multiplier": 1.7},
            composite_evaluator={"name": "c", "http": {"url": "https://example.org/judge?x=%20"}},
        )
        experiment = make_experiment(spec=spec)
        await store.create_experiment(advance(experiment, [experiment]))
        stored = await store.get_experiment("e1")
        assert stored is not None
        assert stored.spec == spec

    async def test_a_spec_can_be_replaced_with_a_change(self, store: Store):
        created = await create(store)
        settled = replace(created, spec=make_spec(description="settled"))
        kept = advance(settled, [settled])
        await store.commit(kept)
        assert (await store.get_experiment("e1") or created).spec == created.spec
        await store.commit(replace(advance(kept.experiment, [settled]), respecified=True))
        assert (await store.get_experiment("e1") or created).spec == settled.spec

    async def test_what_is_not_stored_is_none_or_empty(self, store: Store):
        assert await store.get_experiment("none") is None
        assert list(await store.read_events("none", after=0, limit=10)) == []
        assert list((await store.read_results("none", limit=10)).results) == []
        assert set(await store.finished_trials("none", first=0, last=10)) == set()
        assert list((await store.list_experiments(limit=10)).experiments) == []
        assert list(await store.unfinished_experiments()) == []

    async def test_a_request_id_that_is_taken_joins_and_stores_nothing(self, store: Store):
        first = await create_by_request(store, "e1")
        again = await create_by_request(store, "e2")
        other = await create_by_request(store, "e3", fingerprint="other")
        assert (first.created, first.same_content) == (True, True)
        assert (again.created, again.same_content, again.experiment) == (False, True, first.experiment)
        assert (other.created, other.same_content, other.experiment) == (False, False, first.experiment)
        assert len((await store.list_experiments(limit=10)).experiments) == 1
        assert await store.get_collection("e2-items") is None

    async def test_requests_of_one_id_at_the_same_time_make_one_experiment(self, store: Store):
        creations = await asyncio.gather(*(create_by_request(store, f"e{n}") for n in range(30)))
        assert [creation.created for creation in creations].count(True) == 1
        assert len({creation.experiment.id for creation in creations}) == 1
        assert len((await store.list_experiments(limit=50)).experiments) == 1

    async def test_an_id_that_is_taken_is_refused_and_nothing_changes(self, store: Store):
        experiment = await create(store)
        with pytest.raises(StoreError):
            await create(store, name="other")
        assert await store.get_experiment("e1") == experiment

    async def test_a_new_experiments_events_begin_at_one(self, store: Store):
        experiment = make_experiment(sequence=1)
        with pytest.raises(StoreError):
            await store.create_experiment(advance(experiment, [experiment]))
        assert await store.get_experiment("e1") is None

    async def test_experiments_are_listed_newest_first_in_pages(self, store: Store):
        for number in range(5):
            await create(store, f"e{number}")
        first = await store.list_experiments(limit=2)
        await create(store, "late")
        second = await store.list_experiments(limit=2, cursor=first.next_cursor)
        third = await store.list_experiments(limit=2, cursor=second.next_cursor)
        pages = [[experiment.id for experiment in page.experiments] for page in (first, second, third)]
        assert pages == [["e4", "e3"], ["e2", "e1"], ["e0"]]
        assert third.next_cursor == ""

    async def test_a_list_is_narrowed_by_state_and_name(self, store: Store):
        for number, name in enumerate(["a", "b", "a", "b", "a"]):
            experiment = await create(store, f"e{number}", name=name)
            if number > 1:
                state = State.RUNNING if number < 4 else State.CANCELLED
                await store.commit(advance(experiment, [experiment], state=state))

        async def ids(*states: State, name: str = "") -> list[str]:
            page = await store.list_experiments(limit=10, states=states, name=name)
            return [experiment.id for experiment in page.experiments]

        assert await ids(State.RUNNING) == ["e3", "e2"]
        assert await ids(State.RUNNING, State.PENDING) == ["e3", "e2", "e1", "e0"]
        assert await ids(name="a") == ["e4", "e2", "e0"]
        assert await ids(State.CANCELLED, State.PENDING, name="a") == ["e4", "e0"]
        assert await ids(State.FAILED) == []
        page = await store.list_experiments(limit=1, states=[State.RUNNING])
        rest = await store.list_experiments(limit=1, states=[State.RUNNING], cursor=page.next_cursor)
        assert [experiment.id for experiment in rest.experiments] == ["e2"]
        assert rest.next_cursor == ""

    async def test_a_page_of_experiments_is_bounded_by_text(self, store: Store):
        for number in range(4):
            spec = make_spec(metadata={"large": "x" * (PAGE_CHARACTERS // 2)})
            experiment = make_experiment(f"e{number}", spec=spec)
            await store.create_experiment(advance(experiment, [experiment]))
        page = await store.list_experiments(limit=10)
        assert [experiment.id for experiment in page.experiments] == ["e3"]
        assert page.next_cursor

    async def test_unfinished_experiments_come_oldest_first(self, store: Store):
        for number, state in enumerate(State):
            experiment = await create(store, f"e{number}")
            await store.commit(advance(experiment, [experiment], state=state))
        found = await store.unfinished_experiments()
        assert [experiment.state for experiment in found] == [State.PENDING, State.RUNNING, State.CANCELLING]

    @pytest.mark.parametrize("cursor", ["x", "-1", "1.2", "9" * 30, "\uff11", str(2**63)])
    async def test_a_cursor_of_no_page_is_refused(self, store: Store, cursor: str):
        with pytest.raises(InvalidCursorError):
            await store.list_experiments(limit=1, cursor=cursor)
