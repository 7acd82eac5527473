"""Budgets: what ends a run once it has spent what it may, and what its items say then."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from evalrpc.v1 import experiment_pb2
from tests.servers import Stubs
from tests.service.calls import results, run, spec, violations
from tests.standins.endpoints import Endpoints, Exchange, Request


async def _costly(_: Request, exchange: Exchange) -> None:
    await exchange.answer({"output": "ok", "usage": {"input_tokens": 30, "output_tokens": 10, "cost_usd": 1}})


async def _never(_: Request, exchange: Exchange) -> None:
    await exchange.until_closed()


@pytest.mark.parametrize(
    ("caps", "told"),
    [({"cost_usd": 3}, ("cost_usd", "3", "3")), ({"tokens": 100}, ("tokens", "100", "120"))],
    ids=["cost", "tokens"],
)
async def test_a_soft_cap_lets_nothing_more_begin(
    stubs: Stubs, endpoints: Endpoints, caps: dict[str, Any], told: tuple[str, ...]
) -> None:
    endpoints.routes["/task"] = _costly
    experiment = spec(endpoints.url("/task"), *range(10), max_concurrency=1, budget={"soft": caps})
    events = await run(stubs, experiment)
    last = events[-1].experiment
    assert last.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
    assert (last.progress.completed, last.progress.failed) == (10, 7)
    assert (last.task_spending.input_tokens, last.task_spending.cost_usd) == (90, 3.0)
    found = results(events)
    assert [result.error.reason for result in found] == [""] * 3 + ["BUDGET_EXCEEDED"] * 7
    assert [result.attempts for result in found] == [1] * 3 + [0] * 7
    metadata = found[3].error.metadata
    assert (metadata["budget"], metadata["limit"], metadata["spent"]) == told


async def test_a_hard_cap_cuts_off_what_is_in_flight(stubs: Stubs, endpoints: Endpoints) -> None:
    begun = asyncio.Event()

    async def task(request: Request, exchange: Exchange) -> None:
        if request.json()["input"] == 0:
            begun.set()
            await _never(request, exchange)
        await begun.wait()
        await _costly(request, exchange)

    endpoints.routes["/task"] = task
    budget = {"hard": {"cost_usd": 2}}
    events = await run(stubs, spec(endpoints.url("/task"), *range(6), max_concurrency=2, budget=budget))
    found = results(events)
    assert [result.error.reason for result in found] == ["BUDGET_EXCEEDED", "", "", *["BUDGET_EXCEEDED"] * 3]
    assert [result.attempts for result in found] == [1, 1, 1, 0, 0, 0]
    assert events[-1].experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED


async def test_a_run_takes_no_longer_than_it_may(stubs: Stubs, endpoints: Endpoints) -> None:
    endpoints.routes["/task"] = _never
    budget = {"hard": {"time": "0.5s"}}
    events = await run(stubs, spec(endpoints.url("/task"), *range(4), max_concurrency=2, budget=budget))
    assert [result.error.reason for result in results(events)] == ["BUDGET_EXCEEDED"] * 4
    assert results(events)[0].error.metadata["budget"] == "time"


async def test_a_cap_without_a_measure_is_refused(stubs: Stubs, endpoints: Endpoints) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await run(stubs, spec(endpoints.url("/task"), 1, budget={"soft": {}, "hard": {"cost_usd": -1}}))
    found = violations(wrong.value)
    assert "at least one of cost_usd, tokens, time" in found["experiment.budget.soft"]
    assert "greater than 0" in found["experiment.budget.hard.cost_usd"]
    with pytest.raises(grpc.aio.AioRpcError) as endless:
        await run(stubs, spec(endpoints.url("/task"), 1, budget={"soft": {"cost_usd": "Infinity"}}))
    assert "finite" in violations(endless.value)["experiment.budget.soft.cost_usd"]
