"""Rate budgets: requests are spread over the windows that Langfuse counts in, once it has told them."""

from __future__ import annotations

import asyncio

import pytest

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.errors import UnavailableError
from evalrpc_server.langfuse.budgets import DATASETS, INGESTION, PUBLIC_API, Budgets, resource_of
from evalrpc_server.langfuse.pinning import lookup
from tests.langfuse.hosted import HastyClock, api_of
from tests.standins.langfuse import LangfuseStandIn

SCORE = {"name": "n", "value": 1, "traceId": "t"}


class StandInClock(HastyClock):
    """A clock whose sleeps move the stand-in's clock as well."""

    def __init__(self, standin: LangfuseStandIn) -> None:
        super().__init__()
        self._standin = standin

    async def sleep(self, seconds: float) -> None:
        self._standin.clock.advance(seconds)
        await super().sleep(seconds)


def test_requests_count_against_the_resource_of_their_path():
    assert resource_of("/api/public/otel/v1/traces") == INGESTION
    assert resource_of("/api/public/ingestion") == INGESTION
    assert resource_of("/api/public/dataset-run-items") == DATASETS
    assert resource_of("/api/public/v2/datasets/a%2Fb") == DATASETS
    assert resource_of("/api/public/scores") == PUBLIC_API


async def test_one_refusal_teaches_the_budget():
    async with LangfuseStandIn() as standin:
        standin.rates.limits = {"public-api": 5}
        async with api_of(standin, StandInClock(standin)) as api:
            for _ in range(23):
                await api.retried("POST", "/api/public/scores", json=SCORE)
        assert len(standin.project().scores.all()) == 23
        assert standin.log.count("POST /api/public/scores", status=429) == 1
        assert standin.rates.refused == 1


async def test_resources_have_budgets_of_their_own():
    async with LangfuseStandIn() as standin:
        standin.rates.limits = {"public-api": 1}
        clock = StandInClock(standin)
        async with api_of(standin, clock) as api:
            await api.retried("POST", "/api/public/scores", json=SCORE)
            await api.retried("POST", "/api/public/scores", json=SCORE)
            waited = clock.slept
            assert waited > 30
            await api.request("GET", "/api/public/v2/datasets")
            assert clock.slept == waited


async def test_those_who_wait_share_the_next_window():
    clock = HastyClock()
    budgets = Budgets(clock)
    await budgets.admit(PUBLIC_API)
    budgets.note(PUBLIC_API, 429, {"x-ratelimit-limit": "10", "retry-after": "7"})
    began = clock.monotonic()
    await asyncio.gather(*(budgets.admit(PUBLIC_API) for _ in range(30)))
    assert 120 <= clock.monotonic() - began - 7 < 190


async def test_a_refusal_that_says_nothing_is_waited_out_for_a_moment():
    clock = HastyClock()
    budgets = Budgets(clock)
    budgets.note(INGESTION, 429, {})
    await budgets.admit(INGESTION)
    assert 0.5 < clock.slept <= 1.0
    await budgets.admit(DATASETS)
    assert clock.slept <= 1.0


async def test_who_must_answer_in_time_tells_at_once_how_long_langfuse_asked_to_wait():
    async with LangfuseStandIn() as standin, api_of(standin, SystemClock()) as api:
        standin.rates.limits = {"datasets": 1}
        await api.retried("GET", "/api/public/v2/datasets")
        for _ in range(2):  # the first is refused by Langfuse, the second is not even sent
            with pytest.raises(UnavailableError) as refused:
                async with lookup("default"):
                    await api.retried("GET", "/api/public/v2/datasets")
            assert refused.value.retry_after is not None
            assert 10 < refused.value.retry_after <= 61
        assert standin.rates.refused == 1
