"""What survives: the caller's absence, SIGKILL, SIGTERM, and a restart."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evalrpc.v1 import event_pb2, experiment_pb2, experiment_service_pb2
from tests.servers import Stubs, serving
from tests.service.calls import SECONDS, first_event, reason, results, run_request, spec, start, watch
from tests.standins.endpoints import Endpoints, Exchange, Request


class _Gate:
    """A task that answers the first so many calls and holds the others until it is opened."""

    def __init__(self, free: int) -> None:
        self.seen: Counter[int] = Counter()
        self.held = asyncio.Event()
        self.open = asyncio.Event()
        self._free = free

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        number = request.json()["input"]
        self.seen[number] += 1
        if sum(self.seen.values()) > self._free and not self.open.is_set():
            self.held.set()
            await self.open.wait()
        await exchange.answer({"output": number})


async def _collect(
    stubs: Stubs, experiment_id: str, seen: list[event_pb2.ExperimentEvent], begun: asyncio.Event
) -> None:
    request = experiment_service_pb2.WatchExperimentRequest(id=experiment_id)
    async for response in stubs.experiments.WatchExperiment(request, timeout=SECONDS):
        seen.append(response.event)
        begun.set()


@pytest.mark.parametrize("executor", ["threads", "processes"])
async def test_a_killed_server_goes_on_by_itself_and_repeats_nothing_that_was_streamed(
    data_dir: Path, endpoints: Endpoints, executor: str
) -> None:
    endpoints.routes["/gate"] = gate = _Gate(free=60)
    experiment = spec(
        endpoints.url("/gate"), *range(100), max_concurrency=5, evaluators=[{"builtin": {"name": "length"}}]
    )
    seen: list[event_pb2.ExperimentEvent] = []
    begun = asyncio.Event()
    with serving(data_dir, "--executor", executor) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            experiment_id = await start(Stubs(channel), experiment)
            watching = asyncio.create_task(_collect(Stubs(channel), experiment_id, seen, begun))
            async with asyncio.timeout(SECONDS):
                await begun.wait()
                await gate.held.wait()
            server.program.signal(signal.SIGKILL)
            with pytest.raises(grpc.aio.AioRpcError):
                await watching
    gate.open.set()
    streamed = {event.item_result.item.index for event in seen if event.HasField("item_result")}
    before = Counter(gate.seen)
    with serving(data_dir) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            every = await watch(Stubs(channel), experiment_id)
            rest = await watch(Stubs(channel), experiment_id, after=seen[-1].sequence)
    assert [event.sequence for event in every] == list(range(1, len(every) + 1))
    assert every[: len(seen)] == seen
    assert every[len(seen) :] == rest
    assert [result.item.index for result in results(every)] == list(range(100))
    assert every[-1].experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
    assert all(gate.seen[index] == before[index] for index in streamed)


async def test_sigterm_finishes_what_is_in_flight_tells_watchers_and_exits_with_zero(
    data_dir: Path, endpoints: Endpoints
) -> None:
    endpoints.routes["/gate"] = gate = _Gate(free=10)
    seen: list[event_pb2.ExperimentEvent] = []
    begun = asyncio.Event()
    with serving(data_dir) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            experiment_id = await start(
                Stubs(channel), spec(endpoints.url("/gate"), *range(50), max_concurrency=4)
            )
            watching = asyncio.create_task(_collect(Stubs(channel), experiment_id, seen, begun))
            async with asyncio.timeout(SECONDS):
                await begun.wait()
                await gate.held.wait()
            server.program.signal(signal.SIGTERM)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            health = stub.Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
            while (await health.read()).status == health_pb2.HealthCheckResponse.SERVING:
                pass
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await start(Stubs(channel), spec(endpoints.url("/gate"), 1))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert reason(refused.value) == "DRAINING"
            gate.open.set()
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await watching
        code = await asyncio.to_thread(server.program.wait)
    assert code == 0
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(ended.value) == "DRAINING"
    assert seen[-1].checkpoint.draining
    assert len(results(seen)) == len({index for index, times in gate.seen.items() if times})
    with serving(data_dir) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            every = await watch(Stubs(channel), experiment_id)
    assert [result.item.index for result in results(every)] == list(range(50))
    assert max(gate.seen.values()) == 1


async def test_a_request_that_was_accepted_before_the_crash_is_joined_after_it(
    data_dir: Path, endpoints: Endpoints
) -> None:
    request = run_request(spec(endpoints.url("/echo"), 1, 2, 3), request_id="the-same")
    with serving(data_dir) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            call = Stubs(channel).experiments.RunExperiment(request, timeout=SECONDS)
            first = await first_event(call)
            server.program.signal(signal.SIGKILL)
            await asyncio.to_thread(server.program.wait)
            call.cancel()
    with serving(data_dir) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            call = Stubs(channel).experiments.RunExperiment(request, timeout=SECONDS)
            events = [response.event async for response in call]
    assert events[0] == first
    assert len(results(events)) == 3


async def test_two_servers_cannot_share_a_data_directory_or_a_port(data_dir: Path, tmp_path: Path) -> None:
    with serving(data_dir) as server:
        with pytest.raises(AssertionError, match="another server uses"), serving(data_dir):
            pass
        with (
            pytest.raises(AssertionError, match="cannot listen on"),
            serving(tmp_path / "b", "--listen", server.grpc),
        ):
            pass
