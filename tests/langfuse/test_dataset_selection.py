"""Which items are selected: ids, metadata, shuffle, sample, limit, in this order."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.dataset_pages import OldestFirst
from evalrpc_server.langfuse.draw import Draw
from evalrpc_server.langfuse.selection import Selection
from tests.langfuse.hosted import HastyClock, api_of, items
from tests.standins.langfuse import LangfuseStandIn

COUNT = 350


@pytest.fixture
async def langfuse() -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn() as standin:
        standin.project().datasets.load("d", items(COUNT))
        yield standin


@pytest.fixture
async def api(langfuse: LangfuseStandIn) -> AsyncIterator[LangfuseApi]:
    async with api_of(langfuse) as made:
        yield made


async def select(api: LangfuseApi, spool: Path, *, at_most: int | None = None, **fields: Any) -> list[int]:
    """Returns the numbers of the selected items."""
    dataset = LangfuseDataset.model_validate({"name": "d"} | fields)
    reading = OldestFirst(api, "d", None, clock=HastyClock(), patience=0)
    selection = Selection(reading, dataset, spool=spool, at_most=at_most)
    return [int(item.id.partition("-")[2]) async for page in selection.pages() for item in page.items]


def key(purpose: str, seed: int, number: int) -> bytes:
    return hashlib.sha256(f"{purpose}:{seed}:item-{number}".encode()).digest()[:8]


def shuffled(numbers: Any, seed: int) -> list[int]:
    return sorted(numbers, key=lambda number: key("shuffle", seed, number))


def sampled(numbers: Any, size: int, seed: int) -> set[int]:
    return set(sorted(numbers, key=lambda number: key("sample", seed, number))[:size])


async def test_ids_are_taken_in_the_datasets_order_and_nothing_is_read_behind_the_last(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    assert await select(api, tmp_path, item_ids=["item-160", "item-3", "item-20"]) == [3, 20, 160]
    everything = await select(api, tmp_path)
    assert everything == list(range(COUNT))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ({"even": True}, lambda number: number % 2 == 0),
        ({"third": 1}, lambda number: number % 3 == 1),
        ({"third": 1.0, "even": False}, lambda number: number % 3 == 1 and number % 2 == 1),
        ({"tags": ["a", {"b": 1}]}, lambda _: True),
    ],
)
async def test_metadata_must_have_the_members_with_the_values(
    api: LangfuseApi, tmp_path: Path, wanted: dict[str, Any], chosen: Any
):
    assert await select(api, tmp_path, metadata_equals=wanted) == [n for n in range(COUNT) if chosen(n)]


@pytest.mark.parametrize(
    "wanted", [{"even": 1}, {"third": True}, {"tags": ["a"]}, {"other": None}, {"tags": ["a", {"b": 2}]}]
)
@pytest.mark.parametrize("drawn", [{}, {"shuffle": {}}, {"sample": {"size": 5}}])
async def test_a_selection_that_matches_nothing_is_an_error(
    api: LangfuseApi, tmp_path: Path, wanted: dict[str, Any], drawn: dict[str, Any]
):
    with pytest.raises(DataSourceError, match="check metadata_equals") as failed:
        await select(api, tmp_path, metadata_equals=wanted, **drawn)
    assert failed.value.error.reason == "DATASET_ITEM_NOT_FOUND"


@pytest.mark.parametrize("drawn", [{}, {"shuffle": {}}, {"limit": 2}])
async def test_ids_that_are_missing_or_archived_are_named(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path, drawn: dict[str, Any]
):
    langfuse.project().datasets.load("d", [{"id": "old", "status": "ARCHIVED"}])
    with pytest.raises(DataSourceError, match="'old', 'never'") as failed:
        await select(api, tmp_path, item_ids=["item-1", "old", "never"], **drawn)
    assert failed.value.error.reason == "DATASET_ITEM_NOT_FOUND"
    assert failed.value.error.metadata["dataset_item_id"] == "old"


@pytest.mark.parametrize("limit", [1, 100, 101, COUNT, COUNT + 1])
async def test_limit_takes_the_oldest(api: LangfuseApi, tmp_path: Path, limit: int):
    assert await select(api, tmp_path, limit=limit) == list(range(min(limit, COUNT)))
    assert await select(api, tmp_path, at_most=limit) == list(range(min(limit, COUNT)))


async def test_a_limit_reads_no_more_than_it_needs(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(2000, first=COUNT))
    await select(api, tmp_path, limit=10)
    assert langfuse.log.count("GET /api/public/dataset-items") <= 1 + 4


async def test_a_shuffle_is_the_order_of_the_hashes(api: LangfuseApi, tmp_path: Path):
    order = await select(api, tmp_path, shuffle={"seed": 5})
    assert order == shuffled(range(COUNT), 5)
    assert order != await select(api, tmp_path, shuffle={})
    assert await select(api, tmp_path, shuffle={"seed": 5}, limit=30) == order[:30]


async def test_a_sample_keeps_the_order_found(api: LangfuseApi, tmp_path: Path):
    chosen = sampled(range(COUNT), 40, 9)
    assert await select(api, tmp_path, sample={"size": 40, "seed": 9}) == sorted(chosen)
    assert await select(api, tmp_path, sample={"size": 40, "seed": 9}, limit=7) == sorted(chosen)[:7]
    assert await select(api, tmp_path, sample={"size": 40, "seed": 9}, shuffle={"seed": 2}) == shuffled(
        chosen, 2
    )
    assert await select(api, tmp_path, sample={"size": 1000}) == list(range(COUNT))


async def test_a_sample_is_taken_of_what_metadata_leaves(api: LangfuseApi, tmp_path: Path):
    even = range(0, COUNT, 2)
    found = await select(api, tmp_path, metadata_equals={"even": True}, sample={"size": 20, "seed": 1})
    assert found == sorted(sampled(even, 20, 1))


async def test_a_dataset_that_grows_keeps_most_of_its_sample(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    before = await select(api, tmp_path, sample={"size": 100, "seed": 4})
    langfuse.project().datasets.load("d", items(35, first=COUNT))
    after = await select(api, tmp_path, sample={"size": 100, "seed": 4})
    assert len(set(before) & set(after)) >= 100 - sum(number >= COUNT for number in after)


async def test_a_draw_of_many_keeps_only_what_may_be_chosen():
    draw = Draw(LangfuseDataset.model_validate({"name": "d", "sample": {"size": 10}}), None)
    kept = 0
    for number in range(50_000):
        if draw.wants(f"item-{number}"):
            draw.add(f"item-{number}", number)
            kept += 1
    assert list(draw.chosen()) == sorted(sampled(range(50_000), 10, 0))
    assert kept < 5000


async def test_the_spool_is_gone_afterwards(api: LangfuseApi, tmp_path: Path):
    spool = tmp_path / "made" / "here"
    await select(api, spool, shuffle={})
    assert list(spool.iterdir()) == []


async def test_a_spool_that_cannot_be_made_fails_with_its_reason(api: LangfuseApi, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataSourceError) as failed:
        await select(api, tmp_path / "file" / "below", shuffle={})
    assert failed.value.error.reason == "STORE_FULL"
