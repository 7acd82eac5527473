"""What every store does with registered evaluators."""

from __future__ import annotations

import asyncio

import pytest

from evalrpc_server.store.port import InvalidCursorError, Store
from tests.store.builders import make_evaluator


class EvaluatorContract:
    async def test_other_content_makes_the_next_version_and_the_same_makes_none(self, store: Store):
        first = await store.register_evaluator(make_evaluator(params={"values": ["a"]}))
        same = await store.register_evaluator(make_evaluator(params={"values": ["a"]}))
        second = await store.register_evaluator(make_evaluator(params={"values": ["b"]}))
        described = await store.register_evaluator(
            make_evaluator(params={"values": ["b"]}, description="words")
        )
        assert [first.version, same.version, second.version, described.version] == [1, 1, 2, 2]
        assert same == first
        assert await store.get_evaluator("accuracy") == described == second
        assert await store.get_evaluator("accuracy", 1) == first

    async def test_a_version_never_changes(self, store: Store):
        first = await store.register_evaluator(make_evaluator(params={"n": 1}))
        for number in range(2, 6):
            await store.register_evaluator(make_evaluator(params={"n": number}))
        assert await store.get_evaluator("accuracy", 1) == first
        assert first.create_time == make_evaluator().create_time

    async def test_the_same_registration_at_the_same_time_makes_one_version(self, store: Store):
        registered = await asyncio.gather(*(store.register_evaluator(make_evaluator()) for _ in range(20)))
        assert {evaluator.version for evaluator in registered} == {1}

    async def test_what_is_not_registered_is_none(self, store: Store):
        await store.register_evaluator(make_evaluator())
        assert await store.get_evaluator("other") is None
        assert await store.get_evaluator("accuracy", 2) is None
        assert list((await store.list_evaluators(limit=5, name="other")).evaluators) == []

    async def test_a_deleted_versions_number_is_not_given_again(self, store: Store):
        for number in range(3):
            await store.register_evaluator(make_evaluator(params={"n": number}))
        assert await store.delete_evaluator("accuracy", 3) == 1
        assert await store.delete_evaluator("accuracy", 3) == 0
        newest = await store.get_evaluator("accuracy")
        assert newest is not None
        assert newest.version == 2
        assert (await store.register_evaluator(make_evaluator(params={"n": 9}))).version == 4
        assert await store.delete_evaluator("accuracy") == 3
        assert await store.get_evaluator("accuracy") is None
        assert (await store.register_evaluator(make_evaluator(params={"n": 9}))).version == 5

    async def test_lists_show_newest_versions_by_name_or_all_of_one(self, store: Store):
        for name in ("b", "B", "a", "ä", "a.b"):
            for number in range(3):
                await store.register_evaluator(make_evaluator(name, params={"n": number}))
        seen, cursor = [], ""
        while True:
            page = await store.list_evaluators(limit=2, cursor=cursor)
            seen += [(evaluator.name, evaluator.version) for evaluator in page.evaluators]
            cursor = page.next_cursor
            if not cursor:
                break
        assert seen == [("B", 3), ("a", 3), ("a.b", 3), ("b", 3), ("ä", 3)]
        first = await store.list_evaluators(limit=2, name="a")
        rest = await store.list_evaluators(limit=2, name="a", cursor=first.next_cursor)
        assert [evaluator.version for evaluator in (*first.evaluators, *rest.evaluators)] == [3, 2, 1]
        assert rest.next_cursor == ""

    @pytest.mark.parametrize("cursor", ["x", "1", "[]", '["a", "b"]', "[1, 1]", '["a", -1]', "[" * 5000])
    async def test_a_cursor_of_no_page_is_refused(self, store: Store, cursor: str):
        with pytest.raises(InvalidCursorError):
            await store.list_evaluators(limit=1, cursor=cursor)
