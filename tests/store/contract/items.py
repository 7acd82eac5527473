"""What every store does with collections of items."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.items import Item
from evalrpc_server.store.port import Store, StoreError
from tests.store.builders import create, make_items


class ItemContract:
    async def test_a_collection_grows_until_it_is_complete(self, store: Store):
        await store.create_collection("c")
        await store.append_items("c", make_items(3), cursor="page 2")
        await store.create_collection("c")
        collection = await store.get_collection("c")
        assert collection is not None
        assert (collection.count, collection.complete, collection.cursor) == (3, False, "page 2")
        assert collection.characters == sum(item.size for item in make_items(3))
        await store.append_items("c", make_items(2, first=3))
        await store.append_items("c", [], complete=True)
        collection = await store.get_collection("c")
        assert collection is not None
        assert (collection.count, collection.complete, collection.cursor) == (5, True, "")
        assert list(await store.read_items("c", after=-1, limit=10)) == make_items(5)

    async def test_an_unknown_collection_is_none_or_empty(self, store: Store):
        assert await store.get_collection("none") is None
        assert list(await store.read_items("none", after=-1, limit=5)) == []
        assert set(await store.known_item_ids("none", ["item-0"])) == set()
        with pytest.raises(StoreError):
            await store.append_items("none", make_items(1))

    @pytest.mark.parametrize(
        "items",
        [
            make_items(1),
            make_items(1, first=3),
            [make_items(1, first=2)[0], make_items(1, first=4)[0]],
            [replace(make_items(1, first=2)[0], id="item-1")],
            [make_items(1, first=2)[0], replace(make_items(1, first=3)[0], id="item-2")],
        ],
        ids=["index taken", "gap before", "gap inside", "id taken", "id twice"],
    )
    async def test_items_that_do_not_go_on_are_refused(self, store: Store, items: list[Item]):
        await store.create_collection("c")
        await store.append_items("c", make_items(2), cursor="here")
        with pytest.raises(StoreError):
            await store.append_items("c", items, cursor="there")
        collection = await store.get_collection("c")
        assert collection is not None
        assert (collection.count, collection.cursor) == (2, "here")
        assert list(await store.read_items("c", after=-1, limit=10)) == make_items(2)

    async def test_a_complete_collection_takes_no_more(self, store: Store):
        await store.create_collection("c")
        await store.append_items("c", make_items(1), complete=True)
        with pytest.raises(StoreError):
            await store.append_items("c", make_items(1, first=1))

    async def test_known_ids_are_found_among_many(self, store: Store):
        await store.create_collection("c")
        await store.append_items("c", make_items(1200))
        asked = [f"item-{index}" for index in range(1000, 2300)]
        assert set(await store.known_item_ids("c", asked)) == set(asked[:200])
        assert set(await store.known_item_ids("c", [])) == set()

    async def test_what_broke_off_is_found_and_removed_to_the_last_item(self, store: Store):
        await store.create_collection("broken")
        await store.append_items("broken", make_items(4500))
        await store.create_collection("whole")
        await store.append_items("whole", make_items(1), complete=True)
        begun = await create(store, items=0)
        await store.create_collection(begun.items)
        assert set(await store.abandoned_collections()) == {"broken"}
        await store.discard_collection("broken")
        assert await store.get_collection("broken") is None
        assert list(await store.read_items("broken", after=-1, limit=10)) == []
        assert list(await store.read_items("whole", after=-1, limit=10)) == make_items(1)

    async def test_the_items_of_an_experiment_are_never_discarded(self, store: Store):
        experiment = await create(store, items=2)
        await store.discard_collection(experiment.items)
        assert list(await store.read_items(experiment.items, after=-1, limit=10)) == make_items(2)

    async def test_collections_do_not_mix(self, store: Store):
        await asyncio.gather(*(store.create_collection(name) for name in "abc"))
        await asyncio.gather(*(store.append_items(name, make_items(5)) for name in "abc"))
        assert list(await store.read_items("b", after=1, limit=2)) == make_items(2, first=2)

    async def test_pages_are_bounded_by_text_and_hold_at_least_one(self, store: Store):
        await store.create_collection("c")
        await store.append_items("c", make_items(10, size=1000))
        assert len(await store.read_items("c", after=-1, limit=10, characters=10)) == 1
        assert len(await store.read_items("c", after=-1, limit=10, characters=3500)) == 3
        assert len(await store.read_items("c", after=-1, limit=10)) == 10

    @pytest.mark.parametrize(
        "text",
        [
            ' { "a" : 1.0000000000000000000001, "a": 1e400 } ',
            '"\\u0000 \\ud83d\\ude00 😀 \\/"',
            "12345678901234567890123456789.10",
            '"\ufeff"',
            "[" * 400 + "]" * 400,
            "-0.0",
        ],
    )
    async def test_documents_are_kept_character_by_character(self, store: Store, text: str):
        await store.create_collection("c")
        item = Item(
            index=0, id="ü/ 1", input=Document(text), expected_output=Document(text), metadata=Document(text)
        )
        await store.append_items("c", [item])
        assert list(await store.read_items("c", after=-1, limit=1)) == [item]

    async def test_text_that_is_not_unicode_is_refused_alone(self, store: Store):
        await store.create_collection("c")
        await store.create_collection("d")
        bad = replace(make_items(1)[0], input=Document('"\ud800"'))
        outcomes = await asyncio.gather(
            store.append_items("c", [bad]), store.append_items("d", make_items(1)), return_exceptions=True
        )
        assert isinstance(outcomes[0], StoreError)
        assert outcomes[1] is None
