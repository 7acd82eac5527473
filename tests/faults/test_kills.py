"""The server is killed at random moments and at the boundaries of its commits; nothing may be lost or doubled.

The moments follow from a seed, which `EVALRPC_TEST_SEED=7 make pytest ARGS="-s tests/faults/test_kills.py"` replaces.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.campaign import FAILPOINTS, campaign
from tests.store.postgres_server import PostgresServer

SEED = os.environ.get("EVALRPC_TEST_SEED", "20261122")
LANES = 2
"""Campaigns that go on at the same time, each with a server and a store of its own."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED])
async def test_a_hundred_kills_lose_nothing_on_sqlite(tmp_path: Path, seed: str) -> None:
    stores = [["--data-dir", str(tmp_path / str(lane))] for lane in range(LANES)]
    deaths = await _campaigns(stores, kills=100, seed=seed)
    assert all(deaths[failpoint] for failpoint in FAILPOINTS), deaths


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED])
async def test_kills_lose_nothing_on_postgresql(tmp_path: Path, postgres: PostgresServer, seed: str) -> None:
    urls = [postgres.new_schema(f"kills_{lane}") for lane in range(LANES)]
    stores = [["--data-dir", str(tmp_path), "--store", url] for url in urls]
    await _campaigns(stores, kills=28, seed=seed)


async def _campaigns(stores: list[list[str]], *, kills: int, seed: str) -> Counter[str]:
    """Runs a campaign on each store; returns how often what killed a server."""
    share = -(-kills // len(stores))
    async with asyncio.TaskGroup() as group:
        lanes = [
            group.create_task(campaign(flags, kills=share, seed=f"{seed}-{lane}"))
            for lane, flags in enumerate(stores)
        ]
    histories = [lane.result() for lane in lanes]
    deaths = sum((history.deaths for history in histories), Counter[str]())
    experiments = sum(len(history.ids) for history in histories)
    resumptions = sum(watcher.resumptions for history in histories for watcher in history.watchers)
    print(f"{deaths.total()} kills {dict(deaths)}, {experiments} experiments, {resumptions} resumed watches")
    assert deaths.total() >= kills
    assert resumptions > kills / 2
    return deaths
