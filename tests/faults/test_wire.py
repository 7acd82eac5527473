"""Wires that go wrong between the caller and the server, and between the server and the task: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from evalrpc import AsyncClient, ExperimentState
from evalrpc.v1 import event_pb2, experiment_pb2, experiment_service_pb2
from tests.faults.wire import Fault, Plan, Side, Wire, wire
from tests.servers import Server, Stubs, serving
from tests.service.calls import SECONDS, results, run, spec, start, watch
from tests.standins.endpoints import Endpoints, Exchange, Request

ITEMS = 60


class Application:
    """A task that answers as many calls as it is allowed to, and counts them all."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.allowed = asyncio.Semaphore(0)

    def allow(self, calls: int) -> None:
        for _ in range(calls):
            self.allowed.release()

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        number = request.json()["input"]
        self.calls[number] += 1
        await self.allowed.acquire()
        await exchange.answer({"output": number})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    async with Endpoints() as made:
        yield made


@pytest.fixture
def application(endpoints: Endpoints) -> Application:
    made = Application()
    endpoints.routes["/gated"] = made
    return made


@pytest.fixture
async def line(server: Server) -> AsyncIterator[Wire]:
    """A wire to the server."""
    async with wire(server.grpc) as made:
        yield made


@pytest.fixture
async def stubs(line: Wire) -> AsyncIterator[Stubs]:
    """The services over that wire, connected."""
    async with grpc.aio.insecure_channel(line.address) as channel:
        await channel.channel_ready()
        yield Stubs(channel)


# ------------------------------------------------------------------------ between the caller and the server


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET, Fault.HALF_CLOSE])
async def test_a_run_that_is_cut_again_and_again_shows_each_event_once(
    line: Wire, endpoints: Endpoints, application: Application, fault: Fault
) -> None:
    events = []
    data = [{"input": number} for number in range(ITEMS)]
    async with AsyncClient(line.address) as client:
        async for event in client.run(name="cut", data=data, task=endpoints.url("/gated")):
            events.append(event)
            if event.sequence % 10 == 2:
                line.disturb(fault)
                application.allow(10)
    assert line.connections > ITEMS // 10
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert sorted(event.item_result.item.index for event in events if event.item_result) == list(range(ITEMS))
    assert events[-1].experiment is not None
    assert events[-1].experiment.state is ExperimentState.SUCCEEDED
    assert set(application.calls.values()) == {1}


async def test_a_watcher_whose_wire_stalls_slows_nobody_and_misses_nothing(
    server: Server, line: Wire, stubs: Stubs, endpoints: Endpoints, application: Application
) -> None:
    application.allow(10)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        experiment_id = await start(Stubs(channel), spec(endpoints.url("/gated"), *range(ITEMS)))
        request = experiment_service_pb2.WatchExperimentRequest(id=experiment_id)
        seen: list[event_pb2.ExperimentEvent] = []
        every: list[event_pb2.ExperimentEvent] = []
        async for response in stubs.experiments.WatchExperiment(request, timeout=SECONDS):
            seen.append(response.event)
            if len(seen) == 5:
                line.disturb(Fault.STALL)
                application.allow(ITEMS)
                every = await watch(Stubs(channel), experiment_id)
                assert every[-1].experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
                for each in line.lines:
                    each.flow()
    assert seen == every


async def test_a_start_whose_answer_is_lost_is_joined_by_its_repetition(
    server: Server, line: Wire, stubs: Stubs, endpoints: Endpoints, application: Application
) -> None:
    experiment = spec(endpoints.url("/gated"), *range(ITEMS), name="answer lost")
    line.disturb(Fault.SWALLOW, after=1)
    starting = asyncio.create_task(start(stubs, experiment, request_id="answer-lost"))
    await endpoints.until(lambda: bool(application.calls))
    line.disturb(Fault.RESET)
    with pytest.raises(grpc.aio.AioRpcError) as lost:
        await starting
    assert lost.value.code() is grpc.StatusCode.UNAVAILABLE
    application.allow(ITEMS)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        events = await run(Stubs(channel), experiment, request_id="answer-lost")
        assert await _experiments(Stubs(channel), "answer lost") == [events[0].experiment.id]
    assert len(results(events)) == ITEMS
    assert set(application.calls.values()) == {1}


@pytest.mark.parametrize("side", Side)
async def test_a_start_cut_at_any_byte_is_accepted_once(
    server: Server, line: Wire, stubs: Stubs, endpoints: Endpoints, side: Side
) -> None:
    name = f"cut in its {side.value}"
    experiment = spec(endpoints.url("/task"), *range(3), name=name)
    lost, ids = 0, list[str]()
    for after in range(1, 400, 16):
        fields = {"request_id": f"{name} at {after}"}
        line.disturb(Fault.RESET, side, after)
        told: set[str] = set()
        for _ in range(4):
            try:
                told.add(await start(stubs, experiment, **fields))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                lost += 1
        ids += told
        assert len(told) == 1
    assert lost > 3
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        assert sorted(await _experiments(Stubs(channel), name)) == sorted(ids)
        for experiment_id in ids:
            assert len(results(await watch(Stubs(channel), experiment_id))) == 3


@pytest.mark.parametrize("slice_bytes", [1, 7])
async def test_pieces_of_any_size_make_the_same_run(
    line: Wire, endpoints: Endpoints, application: Application, slice_bytes: int
) -> None:
    application.allow(ITEMS)
    line.slice_bytes = slice_bytes
    task = f"{endpoints.origin.removeprefix('http://')}"
    async with wire(task) as task_line, grpc.aio.insecure_channel(line.address) as channel:
        task_line.slice_bytes = slice_bytes
        events = await run(Stubs(channel), spec(f"http://{task_line.address}/gated", *range(ITEMS)))
    assert [event.sequence for event in events] == list(range(1, ITEMS + 4))
    assert [result.output.value.number_value for result in results(events)] == list(range(ITEMS))


# -------------------------------------------------------------------------- between the server and the task


async def test_a_task_whose_wire_is_cut_again_and_again_is_called_again(
    stubs: Stubs, endpoints: Endpoints
) -> None:
    async with wire(endpoints.origin.removeprefix("http://")) as line:

        async def cut() -> None:
            while True:
                await endpoints.until(lambda: len(endpoints.requests) >= cut_at[-1])
                cut_at.append(len(endpoints.requests) + 7)
                line.disturb(Fault.RESET)

        cut_at = [7]
        cutting = asyncio.create_task(cut())
        experiment = spec(
            f"http://{line.address}/task",
            *range(ITEMS),
            max_concurrency=4,
            retry={"max_attempts": 20, "initial_backoff": "0.01s", "max_backoff": "0.05s"},
        )
        events = await run(stubs, experiment)
        cutting.cancel()
    found = results(events)
    assert [result.output.value.number_value for result in found] == list(range(ITEMS))
    assert len(cut_at) > 5
    assert events[-1].progress.retried == sum(result.attempts - 1 for result in found) > 0


@pytest.mark.parametrize("after", [0, 20, 70])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.CLOSE, "TASK_TRUNCATED"),
        (Fault.RESET, "TASK_TRUNCATED"),
        (Fault.HALF_CLOSE, "TASK_TRUNCATED"),
        (Fault.STALL, "TASK_TIMEOUT"),
        (Fault.SWALLOW, "TASK_TIMEOUT"),
    ],
)
async def test_an_answer_that_breaks_off_anywhere_is_an_item_error_in_time(
    stubs: Stubs, endpoints: Endpoints, fault: Fault, reason: str, after: int
) -> None:
    async with wire(endpoints.origin.removeprefix("http://")) as line:
        line.plan = Plan(fault, after=after)
        experiment = spec(
            f"http://{line.address}/task",
            "a" * 50,
            task_timeout="1s",
            retry={"max_attempts": 2, "initial_backoff": "0.01s"},
        )
        (result,) = results(await run(stubs, experiment))
    assert result.error.reason == reason
    assert result.attempts == (1 if reason == "TASK_TIMEOUT" else 2)
    assert result.task_duration.ToTimedelta().total_seconds() < 5


async def _experiments(stubs: Stubs, name: str) -> list[str]:
    """Returns the ids of the experiments of a name."""
    request = experiment_service_pb2.ListExperimentsRequest(name=name, page_size=500)
    page = await stubs.experiments.ListExperiments(request, timeout=SECONDS)
    return [experiment.id for experiment in page.experiments]
