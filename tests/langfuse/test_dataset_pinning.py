"""Which moment stands for "now" at Langfuse, whatever the clocks on both sides say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.datasets import list_items
from evalrpc_server.langfuse.pinning import pin_dataset
from tests.langfuse.hosted import api_of, items
from tests.standins.langfuse import LangfuseStandIn


@pytest.fixture
async def langfuse() -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn() as standin:
        yield standin


@pytest.fixture
async def api(langfuse: LangfuseStandIn) -> AsyncIterator[LangfuseApi]:
    async with api_of(langfuse) as made:
        yield made


async def pin(api: LangfuseApi, version: datetime | None = None) -> tuple[datetime, str]:
    asked = LangfuseDataset.model_validate(
        {"name": "d"} | ({"version": version.isoformat()} if version else {})
    )
    pinned, dataset_id = await pin_dataset(api, asked, SystemClock(), path="x")
    assert pinned.version_time is not None
    return pinned.version_time, dataset_id


def langfuse_now(langfuse: LangfuseStandIn) -> datetime:
    return datetime.fromtimestamp(langfuse.clock.now() / 1e9, UTC)


@pytest.mark.parametrize("skew", [-7200.0, -3.0, -0.4, 0.0, 0.4, 3.0, 7200.0])
async def test_items_made_just_before_are_in_and_items_made_after_are_not(
    langfuse: LangfuseStandIn, api: LangfuseApi, skew: float
):
    langfuse.clock.advance(skew)
    dataset = langfuse.project().datasets.load("d", items(3))
    version, dataset_id = await pin(api)
    assert dataset_id == dataset.id
    assert version <= langfuse_now(langfuse) + timedelta(seconds=1)
    langfuse.clock.advance(1.5)
    langfuse.project().datasets.load("d", items(2, first=10))
    listing = await list_items(api, "d", version=version.isoformat(), page=1)
    assert listing is not None
    assert {item.id for item in listing.items} == {"item-0", "item-1", "item-2"}


async def test_a_version_that_was_asked_for_is_kept_to_the_millisecond(
    langfuse: LangfuseStandIn, api: LangfuseApi
):
    langfuse.clock.advance(-100)
    langfuse.project().datasets.load("d", items(1))
    langfuse.clock.advance(100)
    asked = langfuse_now(langfuse) - timedelta(seconds=50)
    assert await pin(api, asked) == (
        asked.replace(microsecond=asked.microsecond // 1000 * 1000),
        langfuse.project().datasets.get("d").id,
    )


async def test_a_version_a_little_ahead_is_now_and_one_far_ahead_is_refused(
    langfuse: LangfuseStandIn, api: LangfuseApi
):
    langfuse.project().datasets.load("d", items(1))
    now = langfuse_now(langfuse)
    version, _ = await pin(api, now + timedelta(seconds=30))
    assert version < now + timedelta(seconds=10)
    with pytest.raises(InvalidRequestError, match="lies in the future"):
        await pin(api, now + timedelta(minutes=5))


async def test_a_version_before_the_first_item_has_nothing(langfuse: LangfuseStandIn, api: LangfuseApi):
    langfuse.project().datasets.load("d", items(1))
    with pytest.raises(
        NotFoundError, match=r"has no active items as of 2001-01-01T00:00:00\.000Z"
    ) as refused:
        await pin(api, datetime(2001, 1, 1, tzinfo=UTC))
    assert refused.value.reason == "DATASET_ITEM_NOT_FOUND"
