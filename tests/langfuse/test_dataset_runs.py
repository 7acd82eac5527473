"""Experiments over hosted datasets, through the real server process: acceptance, loading, restarts, outages, memory."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2, status_pb2

from evalrpc.v1 import event_pb2, experiment_pb2, experiment_service_pb2
from tests.langfuse.hosted import ODD_NAME, items
from tests.servers import Server, Stubs, serving
from tests.service.calls import SECONDS, reason, results, run, start, violations, watch
from tests.standins.endpoints import Endpoints, Exchange, Request
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings
from tests.standins.langfuse.answers import Refused
from tests.standins.langfuse.models import DatasetItemBody

ITEMS = "GET /api/public/dataset-items"
SUCCEEDED = experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
FAILED = experiment_pb2.EXPERIMENT_STATE_FAILED


@pytest.fixture
async def langfuse(request: pytest.FixtureRequest) -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn(Settings(mode=getattr(request, "param", "events_only"))) as standin:
        yield standin


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    async with Endpoints() as made:
        yield made


@asynccontextmanager
async def running(
    data_dir: Path, langfuse: LangfuseStandIn | None, *flags: str, **env: str
) -> AsyncIterator[tuple[Server, Stubs]]:
    configured = langfuse.environment() if langfuse else {}
    with serving(data_dir, *flags, env=configured | env) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            yield server, Stubs(channel)


def spec(
    endpoints: Endpoints, name: str, selection: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    return {
        "name": "hosted",
        "langfuse_dataset": {"name": name} | (selection or {}),
        "task": {"http": {"url": endpoints.url("/echo")}},
    } | fields


def numbers(events: list[event_pb2.ExperimentEvent]) -> list[int]:
    return [int(result.item.dataset_item_id.partition("-")[2]) for result in results(events)]


def last(events: list[event_pb2.ExperimentEvent]) -> experiment_pb2.Experiment:
    return events[-1].experiment


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    (packed,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    info = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return float(info.retry_delay.ToTimedelta().total_seconds())


class Gate:
    """A task that holds every call until it is opened, and counts the calls of each item."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()
        self.open = asyncio.Event()
        self.reached = asyncio.Event()

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        number = request.json()["input"]["n"]
        self.seen[number] += 1
        self.reached.set()
        await self.open.wait()
        await exchange.answer({"output": number})


class Stall:
    """Answers the first so many lists of items, and 503 to all others until it ends."""

    def __init__(self, langfuse: LangfuseStandIn, *, free: int) -> None:
        self.reached = asyncio.Event()
        self._table = langfuse.project().datasets
        self._active = self._table.active
        self._free = free
        vars(self._table)["active"] = self._counted

    def end(self) -> None:
        vars(self._table)["active"] = self._active

    def _counted(self, dataset: Any, moment: Any) -> Any:
        self._free -= 1
        if self._free < 0:
            self.reached.set()
            raise Refused(503, {"message": "stalled"})
        return self._active(dataset, moment)


@pytest.mark.parametrize("langfuse", ["events_only", "dual", "legacy"], indirect=True)
async def test_an_experiment_runs_over_a_dataset_of_many_pages_with_an_odd_name(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    dataset = [*items(1050), {"id": "item-9999", "input": "old", "status": "ARCHIVED"}]
    langfuse.project().datasets.load(ODD_NAME, dataset)
    experiment = spec(
        endpoints,
        ODD_NAME,
        evaluators=[{"builtin": {"name": "length"}}],
        max_concurrency=50,
    )
    async with running(tmp_path, langfuse) as (_, stubs):
        events = await run(stubs, experiment)
    ended = last(events)
    assert ended.state == SUCCEEDED
    assert numbers(events) == list(range(1050))
    assert ended.progress.total == ended.progress.completed == 1050
    result = results(events)[7]
    assert (result.item.id, result.item.index, result.item.expected_output.value.number_value) == (
        "item-7",
        7,
        14,
    )
    assert result.item.metadata.value.struct_value["third"] == 1
    assert ended.spec.langfuse_dataset.name == ODD_NAME
    assert ended.spec.langfuse_dataset.HasField("version")
    assert ended.spec.langfuse_project == "default"
    assert ended.langfuse.project == "default"
    assert langfuse.log.count(ITEMS) == 1 + 11


async def test_the_version_is_pinned_at_acceptance_by_langfuses_clock(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    """Items change while the first ones run; neither those changes are seen, nor is the caller's or the server's clock."""
    langfuse.clock.advance(3600)
    datasets = langfuse.project().datasets
    datasets.load("d", items(450))
    endpoints.routes["/gate"] = gate = Gate()
    experiment = spec(endpoints, "d", task={"http": {"url": endpoints.url("/gate")}}, max_concurrency=5)
    async with running(tmp_path, langfuse) as (_, stubs):
        stall = Stall(langfuse, free=4)
        experiment_id = await start(stubs, experiment)
        async with asyncio.timeout(SECONDS):
            await gate.reached.wait()
        langfuse.clock.advance(1)
        datasets.put_item(DatasetItemBody(datasetName="d", id="item-300", input={"n": -1}))
        datasets.put_item(DatasetItemBody(datasetName="d", id="item-999", input={"n": 999}))
        datasets.delete_item("item-400")
        stall.end()
        gate.open.set()
        events = await watch(stubs, experiment_id)
    assert numbers(events) == list(range(450))
    assert gate.seen == Counter(range(450))
    version = last(events).spec.langfuse_dataset.version.ToNanoseconds()
    assert abs(version - langfuse.clock.now()) < 300 * 10**9


@pytest.mark.parametrize("selection", [{}, {"shuffle": {"seed": 2}}])
async def test_a_server_that_is_killed_while_loading_goes_on_and_repeats_nothing(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path, selection: dict[str, Any]
):
    langfuse.project().datasets.load("d", items(1050))
    endpoints.routes["/gate"] = gate = Gate()
    gate.open.set()
    experiment = spec(endpoints, "d", selection, task={"http": {"url": endpoints.url("/gate")}})
    async with running(tmp_path, langfuse) as (server, stubs):
        # The acceptance's request, the first page to learn the total, and so many pages of items.
        stall = Stall(langfuse, free=2 + 6)
        experiment_id = await start(stubs, experiment)
        async with asyncio.timeout(SECONDS):
            await stall.reached.wait()
            if not selection:
                await gate.reached.wait()
        version = (await get(stubs, experiment_id)).spec.langfuse_dataset.version
        server.program.signal(signal.SIGKILL)
        await asyncio.to_thread(server.program.wait)
    stall.end()
    langfuse.clock.advance(1)
    langfuse.project().datasets.load("d", items(100, first=2000))
    langfuse.log.clear()
    async with running(tmp_path, langfuse) as (_, stubs):
        events = await watch(stubs, experiment_id)
    ended = last(events)
    assert ended.state == SUCCEEDED
    assert sorted(numbers(events)) == list(range(1050))
    assert (numbers(events) != list(range(1050))) == bool(selection)
    assert ended.progress.total == 1050
    assert ended.spec.langfuse_dataset.version == version
    assert langfuse.log.count(ITEMS) <= (11 if selection else 1 + 8)


async def get(stubs: Stubs, experiment_id: str) -> experiment_pb2.Experiment:
    request = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
    return (await stubs.experiments.GetExperiment(request, timeout=SECONDS)).experiment


async def test_the_selection_is_recorded_and_the_same_seed_gives_the_same_items(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(300))
    selection = {
        "metadata_equals": {"even": True},
        "sample": {"size": 20, "seed": 7},
        "shuffle": {"seed": 3},
        "limit": 12,
    }
    async with running(tmp_path, langfuse) as (_, stubs):
        first = await run(stubs, spec(endpoints, "d", selection))
        second = await run(stubs, spec(endpoints, "d", selection))
        dry = await run(stubs, spec(endpoints, "d", dry_run_items=3, repetitions=2))
    assert numbers(first) == numbers(second)
    assert len(numbers(first)) == 12
    assert all(number % 2 == 0 for number in numbers(first))
    kept = last(first).spec.langfuse_dataset
    assert (kept.sample.size, kept.sample.seed, kept.shuffle.seed, kept.limit) == (20, 7, 3, 12)
    assert kept.metadata_equals["even"] is True
    assert numbers(dry) == [0, 0, 1, 1, 2, 2]
    assert last(dry).progress.total == 6


@pytest.mark.parametrize("selection", [{"metadata_equals": {"no": 1}}, {"item_ids": ["item-1", "never"]}])
async def test_a_selection_that_finds_too_little_fails_the_experiment(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path, selection: dict[str, Any]
):
    langfuse.project().datasets.load("d", items(3))
    async with running(tmp_path, langfuse) as (_, stubs):
        ended = last(await run(stubs, spec(endpoints, "d", selection)))
    assert ended.state == FAILED
    assert ended.error.reason == "DATASET_ITEM_NOT_FOUND"
    assert ended.error.metadata["dataset"] == "d"


async def test_what_cannot_run_is_refused_before_acceptance(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project().datasets.load("empty", [{"id": "old", "status": "ARCHIVED"}])
    langfuse.project().datasets.load("d", items(1))
    inline = {"name": "n", "items": {"items": [{"input": {"value": 1}}]}}
    task = {"task": {"http": {"url": endpoints.url("/echo")}}}
    cases: list[tuple[dict[str, Any], grpc.StatusCode, str]] = [
        (spec(endpoints, "none"), grpc.StatusCode.NOT_FOUND, "DATASET_NOT_FOUND"),
        (spec(endpoints, "empty"), grpc.StatusCode.NOT_FOUND, "DATASET_ITEM_NOT_FOUND"),
        (
            spec(endpoints, "d", {"version": "2001-01-01T00:00:00Z"}),
            grpc.StatusCode.NOT_FOUND,
            "DATASET_ITEM_NOT_FOUND",
        ),
        (
            spec(endpoints, "d", langfuse_project="none"),
            grpc.StatusCode.NOT_FOUND,
            "LANGFUSE_PROJECT_NOT_FOUND",
        ),
        (
            inline | task | {"langfuse_project": "none"},
            grpc.StatusCode.NOT_FOUND,
            "LANGFUSE_PROJECT_NOT_FOUND",
        ),
        (
            spec(endpoints, "d", {"version": "2999-01-01T00:00:00Z"}),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
        ),
    ]
    async with running(tmp_path, langfuse) as (_, stubs):
        for experiment, code, why in cases:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await run(stubs, experiment)
            assert (refused.value.code(), reason(refused.value)) == (code, why)
            if code is grpc.StatusCode.INVALID_ARGUMENT:
                assert set(violations(refused.value)) == {"experiment.langfuse_dataset.version"}
        listed = await stubs.experiments.ListExperiments(experiment_service_pb2.ListExperimentsRequest())
        assert not listed.experiments


async def test_without_langfuse_a_hosted_dataset_is_refused_and_inline_items_run(
    endpoints: Endpoints, tmp_path: Path
):
    async with running(tmp_path, None) as (_, stubs):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await run(stubs, spec(endpoints, "d"))
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert reason(refused.value) == "LANGFUSE_NOT_CONFIGURED"
        inline = {
            "name": "n",
            "items": {"items": [{"input": {"value": 1}}]},
            "task": {"http": {"url": endpoints.url("/echo")}},
        }
        assert last(await run(stubs, inline)).state == SUCCEEDED


@pytest.mark.parametrize("fault", [Fault(("503",), retry_after=1), Fault(("timeout",), hold=60), None])
async def test_a_langfuse_that_is_down_at_acceptance_is_told_in_bounded_time(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path, fault: Fault | None
):
    langfuse.project().datasets.load("d", items(3))
    async with running(tmp_path, langfuse) as (_, stubs):
        if fault is None:
            await langfuse.go_down()
        else:
            langfuse.faults.add(fault)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await start(stubs, spec(endpoints, "d"))
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(failed.value) == "LANGFUSE_UNAVAILABLE"
        assert retry_delay(failed.value) > 0
        langfuse.faults.clear()
        await langfuse.go_down()  # cuts what is held
        await langfuse.come_up()
        assert last(await run(stubs, spec(endpoints, "d"))).state == SUCCEEDED


async def test_a_langfuse_that_is_down_in_the_middle_is_waited_for(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(600))
    endpoints.routes["/gate"] = gate = Gate()
    gate.open.set()
    experiment = spec(endpoints, "d", task={"http": {"url": endpoints.url("/gate")}})
    async with running(tmp_path, langfuse) as (_, stubs):
        stall = Stall(langfuse, free=2 + 3)
        experiment_id = await start(stubs, experiment)
        async with asyncio.timeout(SECONDS):
            await stall.reached.wait()
            await gate.reached.wait()
        await langfuse.go_down()
        stall.end()
        assert (await get(stubs, experiment_id)).state == experiment_pb2.EXPERIMENT_STATE_RUNNING
        await langfuse.come_up()
        events = await watch(stubs, experiment_id)
    assert numbers(events) == list(range(600))
    assert gate.seen == Counter(range(600))


async def test_keys_that_are_withdrawn_in_the_middle_fail_the_experiment(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(600))
    async with running(tmp_path, langfuse) as (_, stubs):
        stall = Stall(langfuse, free=2 + 3)
        experiment_id = await start(stubs, spec(endpoints, "d"))
        async with asyncio.timeout(SECONDS):
            await stall.reached.wait()
        langfuse.faults.add(Fault(("401",)))
        ended = last(await watch(stubs, experiment_id))
    assert ended.state == FAILED
    assert ended.error.reason == "LANGFUSE_UNAVAILABLE"
    assert "check the project's keys" in ended.error.message
    assert "sk-lf" not in str(ended)


async def test_a_project_that_is_configured_no_more_fails_its_experiment(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project().datasets.load("d", items(600))
    async with running(tmp_path, langfuse) as (server, stubs):
        stall = Stall(langfuse, free=2 + 3)
        experiment_id = await start(stubs, spec(endpoints, "d"))
        async with asyncio.timeout(SECONDS):
            await stall.reached.wait()
        server.program.signal(signal.SIGKILL)
        await asyncio.to_thread(server.program.wait)
    async with running(tmp_path, None) as (_, stubs):
        ended = last(await watch(stubs, experiment_id))
    assert ended.state == FAILED
    assert ended.error.reason == "LANGFUSE_PROJECT_NOT_FOUND"


async def test_each_experiment_reads_from_its_own_project(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    langfuse.project("project-one").datasets.load("d", items(2))
    langfuse.project("project-two").datasets.load("d", items(3, first=100))
    second = langfuse.project("project-two").keys
    projects = tmp_path / "projects.yaml"
    projects.write_text(
        f"projects:\n  b:\n    base_url: {langfuse.url}\n    public_key: {second.public_key}\n"
        f"    secret_key: {second.secret_key}\n"
    )
    async with running(tmp_path / "data", langfuse, "--langfuse-projects", str(projects)) as (_, stubs):
        one = await run(stubs, spec(endpoints, "d"))  # the project of the LANGFUSE_* variables
        two = await run(stubs, spec(endpoints, "d", langfuse_project="b"))
    assert numbers(one) == [0, 1]
    assert numbers(two) == [100, 101, 102]


async def test_an_item_with_a_document_above_the_limit_fails_alone(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path
):
    """Langfuse takes items of up to 4.5 MB."""
    large = "x" * (1024**2 + 1)
    dataset = [*items(2), {"id": "item-2", "input": {"n": 2}, "metadata": {"note": large}}]
    langfuse.project().datasets.load("d", [*dataset, {"id": "item-3", "input": {"n": 3, "text": large * 4}}])
    async with running(tmp_path, langfuse) as (_, stubs):
        events = await run(stubs, spec(endpoints, "d"))
    assert last(events).state == SUCCEEDED
    assert numbers(events) == [0, 1, 2, 3]
    assert [result.error.reason for result in results(events)] == [
        "",
        "",
        "PAYLOAD_TOO_LARGE",
        "PAYLOAD_TOO_LARGE",
    ]
    assert "The item's metadata is 1048588 bytes" in results(events)[2].error.message


@pytest.mark.parametrize("selection", [{}, {"shuffle": {"seed": 1}}])
async def test_a_dataset_larger_than_what_the_server_may_hold_runs_in_bounded_memory(
    langfuse: LangfuseStandIn, endpoints: Endpoints, tmp_path: Path, selection: dict[str, Any]
):
    """Of 200 MB of items, the server holds what is on its way: pages, what waits for a slot, and fresh results."""
    langfuse.project().datasets.load(
        "d", [{"id": f"item-{n}", "input": {"n": n, "text": "x" * 100_000}} for n in range(2000)]
    )

    async def task(request: Request, exchange: Exchange) -> None:
        await exchange.answer({"output": request.json()["input"]["n"]})

    endpoints.routes["/task"] = task
    experiment = spec(
        endpoints,
        "d",
        selection,
        task={"http": {"url": endpoints.url("/task")}},
        langfuse_sync="LANGFUSE_SYNC_OFF",
    )
    async with running(tmp_path, langfuse) as (server, stubs):
        process = psutil.Process(server.program.process.pid)
        before = peak = process.memory_info().rss
        experiment_id = await start(stubs, experiment)
        while (found := await get(stubs, experiment_id)).state not in {SUCCEEDED, FAILED}:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.02)
    assert found.state == SUCCEEDED
    assert found.progress.completed == 2000
    assert peak - before < 150 * 1024**2
