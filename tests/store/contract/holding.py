"""What every store does about opening, closing, and servers beside it."""

from __future__ import annotations

import asyncio

import pytest

from evalrpc_server.store.inspection import inspect_store
from evalrpc_server.store.port import Store, StoreBusyError, StoreError
from evalrpc_server.store.registry import open_store
from tests.store.backends import Backend
from tests.store.builders import (
    add_results,
    advance,
    create,
    make_evaluator,
    make_items,
    make_record,
    make_result,
)


class HoldingContract:
    async def test_everything_is_there_after_opening_again(self, backend: Backend):
        store = open_store(backend.url)
        await store.open()
        experiment = await create(store)
        experiment = await add_results(store, experiment, [make_result(make_items(1)[0])])
        await store.commit(advance(experiment, [experiment], outbox=[make_record("a")]))
        evaluator = await store.register_evaluator(make_evaluator())
        events = await store.read_events("e1", after=0, limit=10)
        await store.close()

        store = open_store(backend.url)
        await store.open()
        assert await store.read_events("e1", after=0, limit=10) == events
        assert await store.get_evaluator("accuracy") == evaluator
        assert (await store.outbox_counts("e1")).queued == 1
        await store.close()

    async def test_a_second_server_is_refused_until_the_first_lets_go(self, store: Store, backend: Backend):
        await create(store)
        second = open_store(backend.url)
        with pytest.raises(StoreBusyError):
            await second.open()
        assert await store.get_experiment("e1") is not None
        await store.close()
        await second.open()
        assert await second.get_experiment("e1") is not None
        await second.close()

    async def test_closing_waits_for_what_was_begun(self, store: Store, backend: Backend):
        experiment = await create(store, items=300)
        tasks = []
        for item in make_items(300):
            commit = advance(experiment, [make_result(item)])
            experiment = commit.experiment
            tasks.append(asyncio.create_task(store.commit(commit)))
        reading = asyncio.create_task(store.read_events("e1", after=0, limit=10))
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*tasks) == [None] * 300
        assert len(await reading) > 0
        again = open_store(backend.url)
        await again.open()
        assert await again.get_experiment("e1") == experiment
        await again.close()

    async def test_a_store_that_is_not_open_says_so(self, store: Store, backend: Backend):
        await store.close()
        await store.close()
        for closed in (store, open_store(backend.url)):
            with pytest.raises(StoreError, match=r"closed|not open"):
                await closed.get_experiment("e1")
            with pytest.raises(StoreError, match=r"closed|not open"):
                await closed.create_collection("c")
        await open_store(backend.url).close()

    async def test_a_store_of_a_newer_release_is_refused_and_left_alone(self, store: Store, backend: Backend):
        await create(store)
        await store.close()
        backend.execute("UPDATE schema_version SET version = version + 1")
        for _ in range(2):
            with pytest.raises(StoreError, match="newer release"):
                await open_store(backend.url).open()
        backend.execute("UPDATE schema_version SET version = version - 1")
        again = open_store(backend.url)
        await again.open()
        assert await again.get_experiment("e1") is not None
        await again.close()

    async def test_reads_go_on_while_a_write_waits(self, store: Store, backend: Backend):
        experiment = await create(store)
        with backend.writes_waiting():
            writing = asyncio.create_task(store.commit(advance(experiment, [experiment])))
            for _ in range(20):
                assert await store.get_experiment("e1") == experiment
            assert not writing.done()
        await writing
        assert len(await store.read_events("e1", after=0, limit=10)) == 2

    async def test_a_look_at_the_store_tells_its_state_and_changes_nothing(self, backend: Backend):
        for _ in range(2):
            fresh = inspect_store(backend.url)
            assert (fresh.survey.exists, fresh.survey.in_use, fresh.schema) == (False, False, 0)
        store = open_store(backend.url)
        await store.open()
        try:
            held = inspect_store(backend.url)
        finally:
            await store.close()
        assert (held.survey.exists, held.survey.in_use) == (True, True)
        assert held.schema == held.newest_schema > 0
        left = inspect_store(backend.url)
        assert (left.survey.exists, left.survey.in_use) == (True, False)
        assert "@" not in left.survey.place
