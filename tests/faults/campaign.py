"""A campaign: a server that is killed again and again while callers start and watch experiments, and then may finish."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from evalrpc.v1 import event_pb2
from evalrpc_server.failpoints import EXIT_STATUS, VARIABLE
from tests.faults.history import GONE, History, Watcher
from tests.faults.nursery import Life, Nursery, nursery
from tests.faults.validators import VALIDATORS
from tests.servers import Stubs
from tests.service.calls import spec, start, watch
from tests.standins.endpoints import Endpoints, Exchange, Request

FAILPOINTS = (
    "store.before_execute",
    "store.before_commit",
    "store.after_commit",
    "recorder.before_commit",
    "recorder.before_publish",
    "recorder.after_publish",
)
"""The boundaries of a commit, from the result in memory to the watchers."""

ITEMS = 300
WATCHERS = 2
LONGEST_LIFE = 0.5
CHANCE = 0.05
"""Of a failpoint to act when it is passed."""


async def campaign(flags: Sequence[str], *, kills: int, seed: str) -> History:
    """Lets a server be killed so often, then finish what it has; holds it to its promises and returns what was seen."""
    dice = random.Random(seed)
    history = History(items=ITEMS)
    async with nursery() as servers, Endpoints() as endpoints:
        endpoints.routes["/task"] = _task
        experiment = _experiment(endpoints.url("/task"))
        while history.deaths.total() < kills:
            for failpoint in dice.sample([None, *FAILPOINTS], len(FAILPOINTS) + 1):
                await _one_life(servers, flags, experiment, history, dice, failpoint)
        journals = await _finish(await servers.life([*_FLAGS, *flags], {}), history)
    for validate in VALIDATORS:
        validate(history, journals)
    return history


async def _one_life(
    servers: Nursery,
    flags: Sequence[str],
    experiment: dict[str, Any],
    history: History,
    dice: random.Random,
    failpoint: str | None,
) -> None:
    """Uses a server until it dies at the failpoint, or is killed at a random moment."""
    env = {VARIABLE: f"{failpoint}=exit@{CHANCE}:{dice.randrange(10_000)}"} if failpoint else {}
    span = LONGEST_LIFE if failpoint else dice.uniform(0, LONGEST_LIFE)
    life = await servers.life([*_FLAGS, *flags], env)
    if life.address:
        async with grpc.aio.insecure_channel(life.address) as channel:
            using = asyncio.create_task(_use(Stubs(channel), experiment, history))
            death = asyncio.create_task(life.death())
            await asyncio.wait({death, using}, timeout=span, return_when=asyncio.FIRST_COMPLETED)
            life.kill()
            await asyncio.gather(death, using)
    code = await life.death()
    assert code in {-signal.SIGKILL, EXIT_STATUS}, life.program.output
    history.deaths[failpoint if failpoint and code == EXIT_STATUS else "SIGKILL"] += 1


async def _use(stubs: Stubs, experiment: dict[str, Any], history: History) -> None:
    """Watches what is unfinished and starts more, until the server is gone."""
    while True:
        if all(watcher.done for watcher in history.watchers):
            try:
                await _start_another(stubs, experiment, history)
            except grpc.aio.AioRpcError as error:
                if error.code() not in GONE:
                    raise
                return
        await asyncio.gather(*(watcher.watch(stubs) for watcher in history.watchers))
        if not all(watcher.done for watcher in history.watchers):
            return


async def _start_another(stubs: Stubs, experiment: dict[str, Any], history: History) -> None:
    """Starts the next experiment; under the same request id as before where the answer was lost."""
    request_id = f"request-{len(history.ids)}"
    experiment_id = await start(stubs, experiment, request_id=request_id)
    history.experiments.setdefault(request_id, set()).add(experiment_id)
    history.watchers += [Watcher(experiment_id) for _ in range(WATCHERS)]


async def _finish(life: Life, history: History) -> Mapping[str, Sequence[event_pb2.ExperimentEvent]]:
    """Lets a server finish everything, and returns the logs as it tells them."""
    async with grpc.aio.insecure_channel(life.address) as channel:
        stubs = Stubs(channel)
        await asyncio.gather(*(watcher.watch(stubs) for watcher in history.watchers))
        return {experiment_id: await watch(stubs, experiment_id) for experiment_id in history.ids}


def _experiment(url: str) -> dict[str, Any]:
    items = [{"input": {"value": number}, "expected_output": {"value": number}} for number in range(ITEMS)]
    return spec(
        url,
        *items,
        max_concurrency=8,
        evaluators=[{"builtin": {"name": "exact_match"}}],
        run_evaluators=[{"builtin": {"name": "mean", "params": {"evaluation": "exact_match"}}}],
    )


async def _task(request: Request, exchange: Exchange) -> None:
    await asyncio.sleep(0.002)
    await exchange.answer({"output": request.json()["input"]})


_FLAGS = ("--listen", "127.0.0.1:0", "--http-listen", "", "--log-level", "warning")
