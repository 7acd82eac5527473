"""Runs that the caller leaves: cancelled tasks, time-outs, clients closed under them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from evalrpc import AsyncClient, AsyncRun, Client, EvalrpcError
from tests.clients.python.application import Application
from tests.servers import Server


async def follow(run: AsyncRun, started: asyncio.Event | None = None) -> None:
    """Reads events for as long as there are any."""
    async for _ in run:
        if started is not None:
            started.set()


async def test_a_cancelled_task_leaves_its_run(server: Server, app: Application) -> None:
    async with AsyncClient(server.grpc) as client:
        run, started = client.run(name="left", data=[{"input": 1}], task=app.gated), asyncio.Event()
        task = asyncio.create_task(follow(run, started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        app.gate.set()
        assert len((await run.result()).item_results) == 1  # and it can be taken up again


async def test_a_time_out_leaves_a_run(server: Server, app: Application) -> None:
    async with AsyncClient(server.grpc) as client:
        run = client.run(name="left", data=[{"input": 1}], task=app.gated)
        await anext(aiter(run))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await follow(run)
        app.gate.set()
        assert len((await run.result()).item_results) == 1


async def test_closing_the_client_ends_its_streams(server: Server, app: Application) -> None:
    client, started = AsyncClient(server.grpc), asyncio.Event()
    task = asyncio.create_task(follow(client.run(name="left", data=[{"input": 1}], task=app.gated), started))
    await started.wait()
    await client.close()
    with pytest.raises(EvalrpcError, match="closed"):
        await task


def test_closing_the_client_ends_its_streams_in_other_threads(server: Server, app: Application) -> None:
    client, started, errors = Client(server.grpc), threading.Event(), []

    def follow_in_thread() -> None:
        try:
            for _ in client.run(name="left", data=[{"input": 1}], task=app.gated):
                started.set()
        except EvalrpcError as error:
            errors.append(error.message)

    thread = threading.Thread(target=follow_in_thread)
    thread.start()
    assert started.wait(30)
    client.close()
    thread.join(30)
    assert errors == ["the client is closed"]


async def test_runs_go_side_by_side(server: Server, app: Application) -> None:
    async with AsyncClient(server.grpc) as client:
        results = await asyncio.gather(
            *(client.run(name="many", data=[{"input": n}], task=app.task).result() for n in range(20))
        )
    assert [result.item_results[0].output for result in results] == list(range(20))
