"""What every store does with results."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.statistics.scores import Score, TrialScores
from evalrpc_server.store.port import InvalidCursorError, ResultOrder, Store
from tests.store.builders import add_results, create, make_items, make_result

COMPLETED = [(4, 1), (0, 1), (3, 1), (0, 2), (2, 1), (4, 2), (1, 1)]
FAILED = {(0, 1), (3, 1), (4, 2)}


async def store_results(store: Store) -> None:
    items = make_items(5)
    results = [
        make_result(items[index], trial=trial, failed=(index, trial) in FAILED) for index, trial in COMPLETED
    ]
    await add_results(store, await create(store, items=5), results)


async def all_results(
    store: Store, *, order: ResultOrder, limit: int, failed_only: bool = False, characters: int = 10**6
) -> list[ItemResult]:
    results: list[ItemResult] = []
    cursor = ""
    while True:
        page = await store.read_results(
            "e1", order=order, limit=limit, cursor=cursor, failed_only=failed_only, characters=characters
        )
        assert len(page.results) <= limit
        results.extend(page.results)
        cursor = page.next_cursor
        if not cursor:
            return results
        assert page.results


def trials(results: list[ItemResult]) -> list[tuple[int, int]]:
    return [(result.item.index, result.trial) for result in results]


class ResultContract:
    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
    async def test_results_come_in_either_order_and_in_pages(self, store: Store, limit: int):
        await store_results(store)
        by_item = await all_results(store, order=ResultOrder.ITEM, limit=limit)
        by_completion = await all_results(store, order=ResultOrder.COMPLETION, limit=limit)
        assert trials(by_item) == sorted(COMPLETED)
        assert trials(by_completion) == COMPLETED

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_failed_results_alone(self, store: Store, limit: int):
        await store_results(store)
        by_item = await all_results(store, order=ResultOrder.ITEM, limit=limit, failed_only=True)
        by_completion = await all_results(store, order=ResultOrder.COMPLETION, limit=limit, failed_only=True)
        assert trials(by_item) == sorted(FAILED)
        assert trials(by_completion) == [trial for trial in COMPLETED if trial in FAILED]

    @pytest.mark.parametrize("order", ResultOrder)
    async def test_pages_are_bounded_by_text(self, store: Store, order: ResultOrder):
        await store_results(store)
        assert len((await store.read_results("e1", order=order, limit=10, characters=1)).results) == 1
        assert len(await all_results(store, order=order, limit=10, characters=2000)) == len(COMPLETED)

    async def test_results_come_back_exactly_with_their_items(self, store: Store):
        experiment = await create(store, items=2)
        first, second = make_items(2)
        results = [make_result(second), make_result(first, failed=True)]
        await add_results(store, experiment, results)
        assert await all_results(store, order=ResultOrder.COMPLETION, limit=10) == results

    @pytest.mark.parametrize("order", ResultOrder)
    async def test_a_cursor_stays_good_while_results_arrive(self, store: Store, order: ResultOrder):
        items = make_items(10)
        experiment = await create(store, items=10)
        experiment = await add_results(
            store, experiment, [make_result(items[index]) for index in (1, 3, 5, 7)]
        )
        page = await store.read_results("e1", order=order, limit=2)
        await add_results(store, experiment, [make_result(items[index]) for index in (0, 2, 4, 6)])
        rest = await store.read_results("e1", order=order, limit=10, cursor=page.next_cursor)
        seen = [result.item.index for result in (*page.results, *rest.results)]
        assert seen == ([1, 3, 4, 5, 6, 7] if order is ResultOrder.ITEM else [1, 3, 5, 7, 0, 2, 4, 6])

    @pytest.mark.parametrize(("order", "cursor"), [(ResultOrder.ITEM, "3"), (ResultOrder.COMPLETION, "1.2")])
    async def test_a_cursor_of_the_other_order_is_refused(
        self, store: Store, order: ResultOrder, cursor: str
    ):
        with pytest.raises(InvalidCursorError):
            await store.read_results("e1", order=order, limit=1, cursor=cursor)

    async def test_finished_trials_of_a_range_of_items(self, store: Store):
        await store_results(store)
        assert set(await store.finished_trials("e1", first=0, last=4)) == set(COMPLETED)
        assert set(await store.finished_trials("e1", first=1, last=3)) == {(1, 1), (2, 1), (3, 1)}
        assert set(await store.finished_trials("e1", first=5, last=9)) == set()

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_scores_come_by_item_and_trial_without_documents(self, store: Store, limit: int):
        await store_results(store)
        found: list[TrialScores] = []
        cursor = ""
        while True:
            page = await store.read_scores("e1", limit=limit, cursor=cursor, cluster_by="kept")
            found.extend(page.trials)
            cursor = page.next_cursor
            if not cursor:
                break
        assert [(trial.item_index, trial.trial) for trial in found] == sorted(COMPLETED)
        assert {(trial.item_index, trial.trial) for trial in found if trial.failed} == FAILED
        assert [trial.item_id for trial in found[::2]] == ["dataset-0", "item-1", "item-3", "item-4"]
        assert [trial.cluster for trial in found[::2]] == ["item dataset-0", "1.0", "item item-3", "1.0"]
        assert all(trial.scores == () for trial in found if trial.failed)
        assert found[1].scores == (
            Score("exact", 1.0),
            Score("flag", False),
            Score("label", "good"),
            Score("skipped", None),
            Score("broken", None, failed=True),
        )

    async def test_scores_stand_alone_where_nothing_clusters_them(self, store: Store):
        await store_results(store)
        page = await store.read_scores("e1", limit=2)
        assert [trial.cluster for trial in page.trials] == [None, None]
        with pytest.raises(InvalidCursorError):
            await store.read_scores("e1", limit=2, cursor="x")
        assert not (await store.read_scores("none", limit=2)).trials

    async def test_the_first_trials_of_chosen_items(self, store: Store):
        await store_results(store)
        assert trials(list(await store.first_results("e1", [4, 0, 99, 2]))) == [(4, 1), (0, 1), (2, 1)]
        assert trials(list(await store.first_results("e1", [4, 0], characters=1))) == [(4, 1)]
        assert not await store.first_results("e1", [])
