"""Second looks in Langfuse: runs of their own over the same dataset, complete, beside the ones that they look at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from evalrpc.v1 import second_look_pb2
from tests.langfuse.hosted import items
from tests.servers import Stubs, serving
from tests.service.calls import SECONDS, run, watch
from tests.standins.endpoints import Endpoints, Exchange, Request
from tests.standins.langfuse import LangfuseStandIn, Settings


@pytest.fixture
async def langfuse() -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn(Settings(mode="dual")) as standin:
        standin.project().datasets.load("numbers", items(4))
        yield standin


async def test_a_retry_is_a_run_of_its_own_with_a_trace_and_a_score_for_every_item(
    langfuse: LangfuseStandIn, tmp_path: Path
) -> None:
    failing = {1}

    async def task(request: Request, exchange: Exchange) -> None:
        number = request.json()["input"]["n"]
        if number in failing:
            await exchange.answer({}, status=400)
        else:
            await exchange.answer({"output": str(number)})

    spec = {
        "name": "hosted",
        "run_name": "first",
        "langfuse_dataset": {"name": "numbers"},
        "langfuse_sync": "LANGFUSE_SYNC_WAIT",
        "evaluators": [{"name": "length", "builtin": {"name": "length"}}],
    }
    async with Endpoints() as endpoints:
        endpoints.routes["/task"] = task
        spec["task"] = {"http": {"url": endpoints.url("/task")}}
        with serving(tmp_path, env=langfuse.environment()) as server:
            async with grpc.aio.insecure_channel(server.grpc) as channel:
                stubs = Stubs(channel)
                first = await run(stubs, spec)
                failing.clear()
                request = second_look_pb2.RetryExperimentRequest(id=first[0].experiment.id, run_name="mended")
                again = await stubs.experiments.RetryExperiment(request, timeout=SECONDS)
                events = await watch(stubs, again.experiment.id)
    accepted = events[-1].experiment.langfuse
    assert (accepted.queued, accepted.rejected) == (0, 0)

    project = langfuse.project()
    runs = {run.name: run for run in project.runs.all()}
    assert set(runs) == {"first", "mended"}
    linked = {item.item_id: item.trace_id for item in runs["mended"].items}
    assert sorted(linked) == [f"item-{number}" for number in range(4)]
    assert not set(linked.values()) & {item.trace_id for item in runs["first"].items}
    scored = [score.trace_id for score in project.scores.all() if score.trace_id in set(linked.values())]
    assert sorted(scored) == sorted(linked.values())

    spans = [project.spans.span(row) for row in project.spans.rows()]
    kept = {
        span.trace_id: span
        for span in spans
        if span.name == "experiment-item-task"
        and json.loads(span.attributes["langfuse.observation.input"])["n"] == 3
    }
    before, after = (kept[trace] for trace in sorted(kept, key=lambda trace: trace in set(linked.values())))
    assert (after.start, after.end) == (before.start, before.end)
