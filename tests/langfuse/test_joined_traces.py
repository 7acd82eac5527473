"""Spans of an instrumented application stand below the task in the item's trace."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path

from tests.langfuse.recording import recording
from tests.processes import running
from tests.service.calls import results, run, spec
from tests.standins.langfuse import LangfuseStandIn
from tests.standins.langfuse_api import Api

COMMAND = [sys.executable, "-m", "tests.langfuse.instrumented_app"]


def exporting_to(standin: LangfuseStandIn) -> dict[str, str]:
    keys = standin.project().keys
    basic = base64.b64encode(f"{keys.public_key}:{keys.secret_key}".encode()).decode()
    return {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{standin.url}/api/public/otel/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"Authorization=Basic%20{basic},x-langfuse-ingestion-version=4",
    }


async def test_an_instrumented_application_joins_the_traces_of_its_items(
    standin: LangfuseStandIn, tmp_path: Path
):
    manager = running(COMMAND, env=exporting_to(standin))
    program = await asyncio.to_thread(manager.__enter__)
    try:
        url = (await asyncio.to_thread(program.wait_for, r"application (\S+)"))[1]
        async with recording(tmp_path, standin) as server:
            asked = spec(f"{url}/task", "when", "where", "why", langfuse_sync="LANGFUSE_SYNC_WAIT")
            found = results(await run(server.stubs, asked))
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)

    assert len(found) == 3
    async with Api(standin) as api:
        for result in found:
            answer = await api.get(f"/v2/observations?traceId={result.trace_id}&fields=core,basic,model")
            spans = {one["name"]: one for one in answer.body["data"]}
            assert set(spans) == {
                "experiment-item-run",
                "experiment-item-task",
                "answer the question",
                "chat",
            }
            task, answering = spans["experiment-item-task"], spans["answer the question"]
            assert answering["parentObservationId"] == task["id"]
            assert spans["chat"]["parentObservationId"] == answering["id"]
            assert spans["chat"]["type"] == "GENERATION"
            assert task["parentObservationId"] == spans["experiment-item-run"]["id"]
    rows = standin.project().spans
    joined = [span for span in map(rows.span, rows.rows()) if span.name == "answer the question"]
    told = {span.attributes["baggage.evalrpc.item_id"] for span in joined}
    assert told == {result.item.id for result in found}
    assert {span.attributes["baggage.evalrpc.experiment_name"] for span in joined} == {"test"}
