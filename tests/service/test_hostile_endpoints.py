"""Endpoints that go wrong, against the real server: each an error with a reason, in time and in bounded memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from evalrpc.v1 import experiment_pb2, experiment_service_pb2
from tests.processes import running
from tests.servers import Server, Stubs, serving
from tests.service.calls import SECONDS, results, run, spec, start
from tests.standins.endpoints import Endpoints, Exchange, Request, refused_url

MEBIBYTE = 1024 * 1024

FAULTS = {
    "/hang": "TASK_TIMEOUT",
    "/hang-in-body": "TASK_TIMEOUT",
    "/trickle": "TASK_TIMEOUT",
    "/garbage": "TASK_NOT_HTTP",
    "/declared-3-gib": "PAYLOAD_TOO_LARGE",
    "/chunked-3-gib": "PAYLOAD_TOO_LARGE",
    "/gzip-bomb": "PAYLOAD_TOO_LARGE",
    "/loop": "TASK_REDIRECT",
    "/cut-before-headers": "TASK_TRUNCATED",
    "/cut-in-body": "TASK_TRUNCATED",
    "/reset": "TASK_TRUNCATED",
    "/invalid-json": "TASK_INVALID_JSON",
    "/nan": "TASK_INVALID_JSON",
    "/deep": "TASK_INVALID_JSON",
    "/not-utf8": "TASK_INVALID_JSON",
    "/status?code=500": "TASK_HTTP_STATUS",
    "/status?code=404": "TASK_HTTP_STATUS",
}


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The origin of the endpoints as a process of their own, so that the server's memory is measured alone."""
    with running([sys.executable, "-m", "tests.standins.endpoints"]) as program:
        port = json.loads(program.wait_for(r"^\{.*\}$")[0])["port"]
        yield f"http://127.0.0.1:{port}"


async def test_each_fault_is_an_item_error_with_a_reason_in_bounded_memory(
    server: Server, stubs: Stubs, hostile: str
) -> None:
    once = {"task_timeout": "2s", "retry": {"max_attempts": 1}}
    await run(stubs, spec(f"{hostile}/task", 0, **once))
    process = psutil.Process(server.program.process.pid)
    before = process.memory_info().rss
    reasons: dict[str, Any] = {}
    for path in FAULTS:
        events = await run(stubs, spec(hostile + path, *range(3), **once))
        assert events[-1].experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
        found = results(events)
        assert len(found) == 3
        (reasons[path],) = {result.error.reason for result in found}
        assert all(result.task_duration.ToTimedelta().total_seconds() < 10 for result in found)
    assert reasons == FAULTS
    assert process.memory_info().rss - before < 96 * MEBIBYTE
    refused = results(await run(stubs, spec(refused_url(), 0, **once)))
    assert refused[0].error.reason == "TASK_UNREACHABLE"


async def test_a_passing_fault_is_retried_and_a_lasting_one_is_not(stubs: Stubs, hostile: str) -> None:
    retry = {"max_attempts": 3, "initial_backoff": "0.01s"}
    (passing,) = results(await run(stubs, spec(f"{hostile}/status?code=503&retry_after=0", 0, retry=retry)))
    (lasting,) = results(await run(stubs, spec(f"{hostile}/status?code=404", 0, retry=retry)))
    assert (passing.attempts, passing.error.retryable) == (3, True)
    assert (lasting.attempts, lasting.error.retryable) == (1, False)


async def test_a_hostile_evaluator_spoils_nothing_else(stubs: Stubs, hostile: str) -> None:
    evaluators = [
        {"name": "good", "http": {"url": f"{hostile}/evaluate"}},
        {"name": "bomb", "http": {"url": f"{hostile}/gzip-bomb"}},
        {"name": "hang", "http": {"url": f"{hostile}/hang"}, "timeout": "0.5s"},
        {"name": "nan", "http": {"url": f"{hostile}/nan"}},
    ]
    run_evaluators = [
        {"name": "count", "http": {"url": f"{hostile}/evaluate-run"}},
        {"name": "cut", "http": {"url": f"{hostile}/cut-in-body"}},
    ]
    item = {"input": {"value": "x"}, "expected_output": {"value": "x"}}
    events = await run(
        stubs, spec(f"{hostile}/task", item, item, evaluators=evaluators, run_evaluators=run_evaluators)
    )
    for result in results(events):
        found = {evaluation.name: evaluation for evaluation in result.evaluations}
        assert found["good"].boolean is True
        assert {name: found[name].error.reason for name in ("bomb", "hang", "nan")} == {
            "bomb": "EVALUATOR_INVALID_ANSWER",
            "hang": "EVALUATOR_TIMEOUT",
            "nan": "EVALUATOR_INVALID_ANSWER",
        }
    (judged,) = [event.run_evaluations for event in events if event.HasField("run_evaluations")]
    counted, cut = judged.evaluations
    assert (counted.name, counted.number) == ("results", 2)
    assert (cut.name, cut.error.reason) == ("cut", "EVALUATOR_UNREACHABLE")


async def test_a_secret_is_found_nowhere(tmp_path: Path, endpoints: Endpoints) -> None:
    secret = "sk-5f2c9a0b-never-to-be-seen"
    headers = {"Authorization": "Bearer ${secret:KEY}"}
    seen: list[bytes] = []
    with serving(tmp_path / "data", "--log-level", "debug", env={"EVALRPC_SECRET_KEY": secret}) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            stubs = Stubs(channel)
            for path in ("/echo", "/echo?status=500", "/echo?status=400", "/garbage", "/loop"):
                experiment = spec(endpoints.url(path), 0, retry={"max_attempts": 1})
                experiment["task"]["http"]["headers"] = headers
                experiment["evaluators"] = [
                    {"name": "e", "http": {"url": endpoints.url("/echo"), "headers": headers}}
                ]
                seen += [event.SerializeToString() for event in await run(stubs, experiment)]
        output = server.program.output
    assert [request.headers["authorization"] for request in endpoints.requests].count(f"Bearer {secret}") > 5
    stored = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    for place in [*seen, *stored, output.encode()]:
        assert secret.encode() not in place


async def test_a_throttled_endpoint_is_told_of_and_left_alone_by_all_experiments(
    stubs: Stubs, endpoints: Endpoints
) -> None:
    async def refuse(request: Request, exchange: Exchange) -> None:
        await exchange.answer("slow down", status=429, headers={"Retry-After": "100"})

    endpoints.routes["/busy"] = refuse
    experiment = spec(endpoints.url("/busy"), "x")
    ids = [await start(stubs, experiment)]
    [limit] = await limits(stubs, ids[0])
    ids.append(await start(stubs, experiment))
    [same] = await limits(stubs, ids[1])
    assert limit.endpoint == same.endpoint == endpoints.url("/busy").removesuffix("/busy")
    assert limit.rate > 0
    paused_until = same.paused_until.ToDatetime(tzinfo=UTC)
    assert 50 < (paused_until - datetime.now(UTC)).total_seconds() <= 100
    for experiment_id in ids:
        await stubs.experiments.CancelExperiment(
            experiment_service_pb2.CancelExperimentRequest(id=experiment_id), timeout=SECONDS
        )
    assert len(endpoints.requests) == 1


async def limits(stubs: Stubs, experiment_id: str) -> list[experiment_pb2.EndpointLimit]:
    """Waits until an experiment tells of limits."""
    request = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
    async with asyncio.timeout(SECONDS):
        while True:
            response = await stubs.experiments.GetExperiment(request, timeout=SECONDS)
            if response.experiment.endpoint_limits:
                return list(response.experiment.endpoint_limits)
            await asyncio.sleep(0.01)
