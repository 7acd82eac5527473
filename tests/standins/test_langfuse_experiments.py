"""Spans in, experiments out: what must stand on which span, and how late and how often it is seen."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse.records import normalise
from tests.standins.langfuse_api import INGESTION_4, SINCE, Api, item_span, span

DUAL = pytest.mark.parametrize("langfuse", [Settings(mode="dual")], indirect=True)
DAY = 86_400
ITEM_FIELDS = "core,dataset,io,metadata,itemMetadata,experimentMetadata,scores"


async def experiments(api: Api, **query: object):
    return (await api.get("/experiments", **{**SINCE, "fields": "core,metadata,scores", **query})).body[
        "data"
    ]


async def items(api: Api, **query: object):
    return (await api.get("/experiment-items", **{**SINCE, "fields": ITEM_FIELDS, **query})).body["data"]


async def test_an_experiment_is_what_its_spans_say(api: Api):
    attributes = {
        "langfuse.experiment.dataset.id": "ds",
        "langfuse.experiment.item.version": "2026-11-22T10:00:00Z",
        "langfuse.experiment.item.metadata": '{"lang":"de"}',
        "langfuse.experiment.item.expected_output": "Paris",
        "langfuse.observation.input": '{"q":1}',
        "langfuse.observation.output": "Paris",
        "langfuse.observation.metadata.k": "v",
        "other.key": "o",
    }
    answer = await api.export(item_span(1, 1, **attributes), item_span(2, 2, **attributes))
    await api.post(
        "/scores",
        {"id": "item", "name": "a", "value": 1, "traceId": f"{1:032x}", "observationId": f"{1:016x}"},
    )
    await api.post("/scores", {"id": "trace", "name": "b", "value": 1, "traceId": f"{1:032x}"})
    await api.post(
        "/scores", {"id": "other", "name": "c", "value": 1, "traceId": f"{1:032x}", "observationId": "o"}
    )
    await api.post("/scores", {"id": "run", "name": "d", "value": 1, "datasetRunId": "exp-1"})

    assert (answer.status, answer.body) == (200, {})
    (experiment,) = await experiments(api)
    assert (experiment["id"], experiment["name"], experiment["description"]) == ("exp-1", "run 1", "about it")
    assert (experiment["itemCount"], experiment["datasetId"]) == (2, "ds")
    assert experiment["metadata"] == {"model": "m", "n.x": "1"}
    assert [score["id"] for score in experiment["scores"]] == ["run"]
    newest, first = await items(api, experimentId="exp-1")
    assert (newest["experimentItemId"], first["experimentItemId"]) == ("item-2", "item-1")
    assert (first["input"], first["output"], first["expectedOutput"]) == ('{"q":1}', "Paris", "Paris")
    assert first["experimentItemVersion"] == "2026-11-22T10:00:00.000Z"
    assert first["experimentItemMetadata"] == {"lang": "de"}
    assert (first["metadata"]["k"], first["metadata"]["attributes.other.key"]) == ("v", "o")
    assert first["environment"] == "sdk-experiment"
    assert {score["id"] for score in first["scores"]} == {"item", "trace"}


async def test_only_the_root_observation_counts_as_an_item(api: Api):
    root = item_span(1, 1)
    child = item_span(2, 1, parent=root["span_id"])
    child["attributes"]["langfuse.experiment.item.root_observation_id"] = root["span_id"]
    orphan = item_span(3, 2)
    orphan["attributes"]["langfuse.experiment.item.root_observation_id"] = "0" * 16
    plain = span(4, 1, parent=root["span_id"])

    await api.export(root, child, orphan, plain)

    (experiment,) = await experiments(api)
    assert experiment["itemCount"] == 1
    assert [item["id"] for item in await items(api)] == [root["span_id"]]


async def test_one_span_without_a_description_may_answer_for_all(api: Api):
    await api.export(item_span(1, 1), item_span(2, 2, **{"langfuse.experiment.description": ""}))

    (experiment,) = await experiments(api)

    assert experiment["description"] == ""


async def test_lists_of_experiments_are_filtered_and_paged(api: Api):
    now = time.time_ns()
    spans = [item_span(n, n, experiment=f"exp-{n:02}", start=now + n * 10**9) for n in range(1, 13)]
    await api.export(*spans)

    assert [one["id"] for one in await experiments(api, id="exp-03,exp-05")] == ["exp-05", "exp-03"]
    assert len(await experiments(api, name="run 1")) == 12
    assert await experiments(api, name="run 2") == []
    assert await experiments(api, fromStartTime="2099-01-01T00:00:00Z") == []
    assert (await api.get("/experiments")).status == 400
    assert (await api.get("/experiments", **SINCE, scoreLimit=51)).status == 400
    by_filter = '[{"type":"string","column":"id","operator":"=","value":"exp-07"}]'
    assert [one["id"] for one in await experiments(api, filter=by_filter)] == ["exp-07"]
    first = (await api.get("/experiments", **SINCE, limit=8)).body
    second = (await api.get("/experiments", **SINCE, limit=8, cursor=first["meta"]["cursor"])).body
    assert [one["id"] for one in first["data"] + second["data"]] == [f"exp-{n:02}" for n in range(12, 0, -1)]
    assert "cursor" not in second["meta"]


async def test_scores_of_another_day_are_not_looked_up(api: Api):
    now = time.time()
    await api.export(item_span(1, 1))
    for name, age in (("near", DAY / 2), ("far", 2 * DAY)):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - age))
        await api.post(
            "/scores", {"id": name, "name": name, "value": 1, "traceId": f"{1:032x}", "timestamp": at}
        )

    (item,) = await items(api)

    assert [score["id"] for score in item["scores"]] == ["near"]


@pytest.mark.parametrize(
    ("span_value", "resource_value", "environment"),
    [
        ("Prod", None, "prod"),
        (None, "staging", "staging"),
        ("qa", "staging", "qa"),
        ("langfuse-internal", None, "internal"),
        ("not valid!", None, "default"),
        (None, None, "default"),
        ("x" * 50, None, "x" * 40),
    ],
)
async def test_environments(api: Api, span_value, resource_value, environment):
    attributes = {} if span_value is None else {"langfuse.environment": span_value}
    resource = {} if resource_value is None else {"deployment.environment.name": resource_value}
    await api.export(span(1, 1, resource=resource, **attributes))

    (found,) = (await api.get("/v2/observations")).body["data"]

    assert found["environment"] == environment


async def test_observation_types_and_levels(api: Api):
    await api.export(
        span(
            1, 1, start=3, **{"langfuse.observation.type": "evaluator", "langfuse.observation.level": "ERROR"}
        ),
        span(2, 1, start=2, **{"langfuse.observation.type": "GENERATION"}),
        span(3, 1, start=1, **{"langfuse.observation.usage_details": '{"input":3,"output":4}'}),
    )

    found = (await api.get("/v2/observations", fields="basic,usage")).body["data"]

    assert [(one["type"], one["level"]) for one in found] == [
        ("EVALUATOR", "ERROR"),
        ("SPAN", "DEFAULT"),
        ("SPAN", "DEFAULT"),
    ]
    assert found[2]["usageDetails"] == {"input": 3, "output": 4}


async def test_spans_sent_again_are_visible_until_merged(api: Api, langfuse: LangfuseStandIn):
    start = time.time_ns()
    await api.export(item_span(1, 1, start=start))
    await api.export(item_span(1, 1, start=start))
    await api.export(item_span(1, 1, start=start + 10**9))

    async def seen() -> tuple[int, int, int]:
        listed = (await api.get("/v2/observations")).body["data"]
        (experiment,) = await experiments(api)
        return len(listed), experiment["itemCount"], len(await items(api))

    assert await seen() == (3, 1, 1)
    assert langfuse.project().spans.merge() == 1
    assert await seen() == (2, 1, 1)
    assert langfuse.stats()["projects"]["project-one"]["spans_received"] == 3
    assert langfuse.stats()["projects"]["project-one"]["spans"] == 1


async def test_spans_are_readable_late(api: Api, langfuse: LangfuseStandIn):
    langfuse.hold_records()
    await api.export(item_span(1, 1))
    assert await experiments(api) == []

    langfuse.show_all()

    assert len(await experiments(api)) == 1


@DUAL
async def test_a_dual_server_needs_ingestion_version_4(api: Api, langfuse: LangfuseStandIn):
    await api.export(item_span(1, 1), headers={})
    await api.export(
        item_span(2, 2), headers={"x-langfuse-sdk-name": "python", "x-langfuse-sdk-version": "3.15.0"}
    )
    assert (await api.get("/v2/observations")).body["data"] == []
    assert len((await api.get("/traces")).body["data"]) == 2

    langfuse.clock.advance(700)

    assert len((await api.get("/v2/observations")).body["data"]) == 2
    assert await experiments(api) == []
    await api.export(item_span(3, 3))
    await api.export(
        item_span(4, 4), headers={"x-langfuse-sdk-name": "python", "x-langfuse-sdk-version": "4.18.0"}
    )
    assert (await experiments(api))[0]["itemCount"] == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-langfuse-ingestion-version": "4"}, 200),
        ({"x-langfuse-ingestion-version": "3"}, 200),
        ({"x-langfuse-ingestion-version": "5"}, 400),
        ({"x-langfuse-ingestion-version": "four"}, 400),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/json"}, 400),
        ({"Content-Encoding": "identity"}, 400),
    ],
)
async def test_exports_are_refused_as_a_whole(api: Api, headers, status):
    assert (await api.export(span(1, 1), headers={**INGESTION_4, **headers})).status == status


async def test_one_bad_span_refuses_the_batch(api: Api, langfuse: LangfuseStandIn):
    bad = span(2, 1)
    bad["span_id"] = ""

    assert (await api.export(span(1, 1), bad)).status == 400
    assert langfuse.stats()["projects"]["project-one"]["spans_received"] == 0


@pytest.mark.parametrize("langfuse", [Settings(otlp_body_limit=100)], indirect=True)
async def test_an_export_may_have_a_limit(api: Api):
    assert (await api.export(*(span(n, n) for n in range(1, 50)))).status == 413


async def test_json_exports(api: Api):
    document: dict[str, Any] = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "a" * 32,
                                "spanId": "b" * 16,
                                "name": "json",
                                "startTimeUnixNano": "1000000000",
                                "endTimeUnixNano": "2000000000",
                                "attributes": [
                                    {"key": "langfuse.trace.tags", "value": {"arrayValue": {"values": [{"stringValue": "t"}]}}},
                                    {"key": "count", "value": {"intValue": "7"}},
                                ],
                                "status": {"code": 2, "message": "went wrong"},
                            }
                        ]
                    }
                ]
            }
        ]
    }  # fmt: skip
    assert (await api.call("POST", "/otel/v1/traces", json=document)).status == 200

    (found,) = (await api.get("/v2/observations", fields="basic,metadata,trace_context")).body["data"]
    assert (found["id"], found["level"], found["statusMessage"]) == ("b" * 16, "ERROR", "went wrong")
    assert (found["tags"], found["metadata"]["attributes.count"]) == (["t"], "7")
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = {}
    assert (await api.call("POST", "/otel/v1/traces", json=document)).status == 400


@DUAL
async def test_traces_take_their_fields_from_any_span(api: Api, langfuse: LangfuseStandIn):
    root = span(1, 1, start=1, **{"langfuse.observation.input": '{"q":1}'})
    said = {"langfuse.trace.name": "named", "session.id": "s", "user.id": "u"}
    await api.export(root, span(2, 1, parent=root["span_id"], start=2, **said))

    trace = (await api.get(f"/traces/{1:032x}")).body

    assert (trace["name"], trace["sessionId"], trace["userId"], trace["input"]) == (
        "named",
        "s",
        "u",
        {"q": 1},
    )
    assert [one["id"] for one in trace["observations"]] == [f"{1:016x}", f"{2:016x}"]
    assert (await api.call("DELETE", f"/traces/{1:032x}")).status == 200
    assert (await api.get(f"/traces/{1:032x}")).status == 404


@pytest.mark.parametrize("langfuse", [Settings(count_only=True)], indirect=True)
async def test_counting_without_keeping(api: Api, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("d", [{"id": "i", "input": 1}])
    for _ in range(2):
        await api.export(span(1, 1), span(2, 1))
    await api.post("/scores", [{"id": "s", "name": "n", "value": 1, "traceId": "t"}] * 3)
    await api.post("/dataset-run-items", {"runName": "r", "datasetItemId": "i", "traceId": "t"})

    assert langfuse.stats()["projects"]["project-one"] == {
        "spans_received": 4,
        "spans": 2,
        "scores_received": 3,
        "scores": 1,
        "run_items": 1,
    }
    assert not langfuse.log.entries


async def test_records_are_comparable(langfuse: LangfuseStandIn, api: Api):
    async def write(first: int) -> dict[str, object]:
        langfuse.reset()
        root = item_span(first, first, experiment=f"exp-{first}")
        root["attributes"]["langfuse.experiment.item.id"] = "item"
        child = span(first + 1, first, name="child", parent=root["span_id"])
        await api.export({**root, "name": "root"}, child)
        target = {"traceId": root["trace_id"], "observationId": root["span_id"]}
        await api.post("/scores", {"id": f"s{first}", "name": "n", "value": 1, **target})
        return normalise(langfuse)

    one, two = await write(1), await write(100)

    assert one == two
    assert one["requests"] == {
        "POST /api/public/otel/v1/traces": "batched",
        "POST /api/public/scores": "batched",
    }


async def test_gzip_is_undone_for_every_endpoint(api: Api):
    body = gzip.compress(b'{"name":"n","value":1,"traceId":"t"}')
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    assert (await api.call("POST", "/scores", data=body, headers=headers)).status == 200
