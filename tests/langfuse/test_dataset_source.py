"""Hosted datasets as an experiment's data: order, pages, versions, outages, and going on behind a cursor."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.datasets.port import DataSourceError, ItemPage
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.dataset_pages import Batch, OldestFirst
from evalrpc_server.langfuse.dataset_source import open_dataset
from evalrpc_server.langfuse.datasets import list_items
from tests.langfuse.hosted import ODD_NAME, HastyClock, api_of, items
from tests.standins.langfuse import Fault, LangfuseStandIn
from tests.standins.langfuse.models import DatasetItemBody

ITEMS = "GET /api/public/dataset-items"
FUTURE = "2999-01-01T00:00:00.000Z"
"""A version that sees everything; what is read with it is as it is now."""


@pytest.fixture
async def langfuse() -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn() as standin:
        yield standin


@pytest.fixture
async def api(langfuse: LangfuseStandIn) -> AsyncIterator[LangfuseApi]:
    async with api_of(langfuse) as made:
        yield made


def spec_of(dataset: dict[str, Any], **fields: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "name": "test",
            "langfuse_dataset": {"version": FUTURE} | dataset,
            "task": {"http": {"url": "http://127.0.0.1:9/task"}},
        }
        | fields
    )


async def read(
    api: LangfuseApi,
    spool: Path,
    *,
    cursor: str = "",
    first_index: int = 0,
    patience: float = 3600.0,
    spec: dict[str, Any] | None = None,
    **dataset: Any,
) -> AsyncGenerator[ItemPage]:
    source = open_dataset(api, spec_of(dataset, **(spec or {})), HastyClock(), spool=spool, patience=patience)
    assert source is not None
    try:
        async for page in source.pages(cursor=cursor, first_index=first_index):
            yield page
    finally:
        await source.aclose()


async def all_items(api: LangfuseApi, spool: Path, **arguments: Any) -> list[Item]:
    pages = [page async for page in read(api, spool, **arguments)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    found = [item for page in pages for item in page.items]
    assert [item.index for item in found] == list(range(len(found)))
    return found


def ids(numbers: Any) -> list[str]:
    return [f"item-{number}" for number in numbers]


async def test_items_come_oldest_first_in_pages_of_100_each_once(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load(ODD_NAME, items(1050))
    found = await all_items(api, tmp_path, name=ODD_NAME)
    assert [item.id for item in found] == ids(range(1050))
    assert langfuse.log.count(ITEMS) == 11
    assert all("limit=100" in entry.query for entry in langfuse.log.entries)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200])
async def test_every_count_is_read_whole(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path, count: int
):
    langfuse.project().datasets.load("d", items(count))
    assert [item.id for item in await all_items(api, tmp_path, name="d")] == ids(range(count))


async def test_documents_are_taken_as_they_stand_in_the_answer(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load(
        "d",
        [
            {"id": "a", "input": {"b": 1, "a": [1.0, 9007199254740993, "é\u2028😀"]}},
            {"id": "b", "input": None, "expectedOutput": False, "metadata": {}},
            {"id": "c", "input": "text", "expectedOutput": "", "metadata": ["not", "an", "object"]},
            {"id": "d", "input": "gone", "status": "ARCHIVED"},
        ],
    )
    first, second, third = await all_items(api, tmp_path, name="d")
    assert first.input == '{"b":1,"a":[1.0,9007199254740993,"é\u2028😀"]}'
    assert (first.expected_output, first.metadata, first.dataset_item_id) == (None, None, "a")
    assert (second.input, second.expected_output, second.metadata) == ("null", "false", "{}")
    assert (third.input, third.expected_output, third.metadata) == ('"text"', '""', '["not","an","object"]')


async def test_references_to_media_pass_through(langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path):
    reference = "@@@langfuseMedia:type=image/png|id=m1|source=base64_data_uri@@@"
    langfuse.project().datasets.load("d", [{"id": "a", "input": {"image": reference}}])
    (item,) = await all_items(api, tmp_path, name="d")
    assert item.input == f'{{"image":"{reference}"}}'


async def test_a_pinned_version_does_not_see_what_changes_while_it_is_read(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    datasets = langfuse.project().datasets
    datasets.load("d", items(300))
    listing = await list_items(api, "d", version=None, page=1, limit=1)
    assert listing is not None
    version = listing.items[0].create_time
    langfuse.clock.advance(1)
    found: list[Item] = []
    async with aclosing(read(api, tmp_path, name="d", version=version.isoformat())) as pages:
        async for page in pages:
            if not found:
                datasets.put_item(DatasetItemBody(datasetName="d", id="item-250", input="changed"))
                datasets.put_item(DatasetItemBody(datasetName="d", id="new", input="new"))
                datasets.put_item(DatasetItemBody(datasetName="d", id="item-251", status="ARCHIVED"))
                datasets.delete_item("item-252")
            found += page.items
    assert [item.id for item in found] == ids(range(300))
    assert found[250].input == '{"n":250}'


@pytest.mark.parametrize(
    "selection", [{}, {"shuffle": {"seed": 3}}, {"sample": {"size": 150}, "shuffle": {"seed": 1}}]
)
async def test_reading_goes_on_behind_any_page_and_repeats_nothing(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path, selection: dict[str, Any]
):
    langfuse.project().datasets.load("d", items(450))
    whole = await all_items(api, tmp_path, name="d", **selection)
    pages = [page async for page in read(api, tmp_path, name="d", **selection)]
    assert len(pages) > 1
    count = 0
    for page in pages[:-1]:
        count += len(page.items)
        rest = read(api, tmp_path, name="d", cursor=page.cursor, first_index=count, **selection)
        assert [item async for later in rest for item in later.items] == whole[count:]


async def test_behind_a_cursor_earlier_pages_are_not_read_again(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(1000))
    pages = [page async for page in read(api, tmp_path, name="d")]
    langfuse.log.clear()
    rest = [page async for page in read(api, tmp_path, name="d", cursor=pages[6].cursor, first_index=700)]
    assert [item.id for page in rest for item in page.items] == ids(range(700, 1000))
    assert langfuse.log.count(ITEMS) == 3


async def test_outages_of_every_kind_are_waited_out(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(1000))
    langfuse.faults.seed(7)
    langfuse.faults.add(Fault(("500", "429", "503", "408", "cut", "lost"), ratio=0.4, retry_after=1))
    assert [item.id for item in await all_items(api, tmp_path, name="d")] == ids(range(1000))
    assert sum(langfuse.faults.struck.values()) > 1


async def test_an_outage_that_outlasts_patience_fails_with_its_reason(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(500))
    langfuse.faults.add(Fault(("503",), path="dataset-items", times=None))
    with pytest.raises(DataSourceError) as failed:
        await all_items(api, tmp_path, name="d", patience=600.0)
    assert failed.value.error.reason == "LANGFUSE_UNAVAILABLE"
    assert failed.value.error.retryable
    assert failed.value.error.metadata == {"project": "default", "status": "503"}


async def test_wrong_keys_fail_at_once_and_are_not_shown(langfuse: LangfuseStandIn, tmp_path: Path):
    async with api_of(langfuse, secret_key="sk-lf-wrong") as api:
        with pytest.raises(DataSourceError) as failed:
            await all_items(api, tmp_path, name="d")
    assert failed.value.error.reason == "LANGFUSE_UNAVAILABLE"
    assert not failed.value.error.retryable
    assert "check the project's keys" in failed.value.error.message
    assert "sk-lf-wrong" not in str(failed.value.error)
    assert langfuse.log.count(ITEMS) == 1


async def test_a_dataset_that_is_gone_fails_with_its_name(api: LangfuseApi, tmp_path: Path):
    with pytest.raises(DataSourceError) as failed:
        await all_items(api, tmp_path, name="gone")
    assert failed.value.error.reason == "DATASET_NOT_FOUND"
    assert failed.value.error.metadata == {"dataset": "gone", "project": "default"}


async def test_large_items_are_asked_for_in_smaller_pages(
    langfuse: LangfuseStandIn, api: LangfuseApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("evalrpc_server.langfuse.api.MAX_ANSWER_BYTES", 2_000_000)
    large = [entry | {"input": "x" * 100_000} for entry in items(60)]
    langfuse.project().datasets.load("d", [*large, *items(40, first=60)])
    assert [item.id for item in await all_items(api, tmp_path, name="d")] == ids(range(100))
    sizes = {entry.query.rpartition("limit=")[2].partition("&")[0] for entry in langfuse.log.entries}
    assert {"100", "50", "25", "12"} <= sizes


async def test_without_versions_items_that_are_added_meanwhile_are_left_out(
    langfuse: LangfuseStandIn, api: LangfuseApi
):
    datasets = langfuse.project().datasets
    datasets.load("d", items(950))
    batches: list[Batch] = []
    async with aclosing(_unpinned(api).batches()) as reading:
        async for batch in reading:
            batches.append(batch)
            if len(batches) in (1, 4):
                datasets.load("d", items(30, first=1000 * len(batches)))
    assert [item.id for batch in batches for item in batch.items] == ids(range(950))


async def test_without_versions_items_that_vanish_meanwhile_are_noticed(
    langfuse: LangfuseStandIn, api: LangfuseApi
):
    langfuse.project().datasets.load("d", items(950))
    async with aclosing(_unpinned(api).batches()) as reading:
        assert (await anext(reading)).first == 0
        langfuse.project().datasets.delete_item("item-800")
        with pytest.raises(DataSourceError, match="changed while it was read"):
            [batch async for batch in reading]


def _unpinned(api: LangfuseApi) -> OldestFirst:
    return OldestFirst(api, "d", None, clock=HastyClock(), patience=0)
