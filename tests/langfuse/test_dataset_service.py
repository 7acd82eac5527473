"""GetDataset, ListDatasetItems, LinkDatasetItem and CreateScores, through a real server against a stand-in of each mode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import dataset_pb2, dataset_service_pb2, json_pb2
from tests.langfuse.hosted import ODD_NAME, items
from tests.servers import Stubs, serving
from tests.service.calls import SECONDS, reason, violations
from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse.run_items import stable_run_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OBSERVATION = "00f067aa0ba902b7"
MODES = ("events_only", "dual", "legacy")


@pytest.fixture
async def langfuse(request: pytest.FixtureRequest) -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn(Settings(mode=getattr(request, "param", "events_only"))) as standin:
        yield standin


@asynccontextmanager
async def server_of(
    data_dir: Path, langfuse: LangfuseStandIn | None, *flags: str, **env: str
) -> AsyncIterator[Stubs]:
    configured = langfuse.environment() if langfuse else {}
    with serving(data_dir, *flags, env=configured | env) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            yield Stubs(channel)


@pytest.fixture
async def stubs(langfuse: LangfuseStandIn, tmp_path: Path) -> AsyncIterator[Stubs]:
    async with server_of(tmp_path, langfuse) as made:
        yield made


async def get(stubs: Stubs, **fields: Any) -> dataset_pb2.Dataset:
    request = json_format.ParseDict(fields, dataset_service_pb2.GetDatasetRequest())
    return (await stubs.datasets.GetDataset(request, timeout=SECONDS)).dataset


async def list_items(stubs: Stubs, *, project: str = "", text: bool = False, **dataset: Any) -> list[Any]:
    request = dataset_service_pb2.ListDatasetItemsRequest(langfuse_project=project)
    if text:
        request.json_encoding = json_pb2.JSON_ENCODING_TEXT
    json_format.ParseDict(dataset, request.langfuse_dataset)
    return [answer.item async for answer in stubs.datasets.ListDatasetItems(request, timeout=SECONDS)]


async def link(stubs: Stubs, **fields: Any) -> dataset_service_pb2.LinkDatasetItemResponse:
    given = {
        "dataset_name": "d",
        "dataset_item_id": "item-1",
        "run_name": "nightly",
        "trace_id": TRACE,
        "observation_id": OBSERVATION,
    } | fields
    request = json_format.ParseDict(given, dataset_service_pb2.LinkDatasetItemRequest())
    return await stubs.datasets.LinkDatasetItem(request, timeout=SECONDS)


async def create(stubs: Stubs, *scores: dict[str, Any], **fields: Any) -> list[Any]:
    request = json_format.ParseDict({"scores": scores} | fields, dataset_service_pb2.CreateScoresRequest())
    return list((await stubs.datasets.CreateScores(request, timeout=SECONDS)).receipts)


def kept(langfuse: LangfuseStandIn) -> dict[str, Any]:
    """Returns the scores that the stand-in has, by name."""
    return {score.name: score for score in langfuse.project().scores.all()}


async def test_a_dataset_is_returned_whatever_its_name(stubs: Stubs, langfuse: LangfuseStandIn):
    dataset = langfuse.project().datasets.load(ODD_NAME, items(1))
    dataset.description, dataset.metadata = "Capitals", {"by": "geo", "n": 1}
    dataset.input_schema = {"type": "object"}
    found = await get(stubs, name=ODD_NAME)
    assert (found.id, found.name, found.description) == (dataset.id, ODD_NAME, "Capitals")
    assert json_format.MessageToDict(found.metadata.value) == {"by": "geo", "n": 1.0}
    assert json_format.MessageToDict(found.input_schema.value) == {"type": "object"}
    assert not found.HasField("expected_output_schema")
    assert found.create_time.ToNanoseconds() == dataset.created
    assert found.url == f"{langfuse.url}/project/project-one/datasets/{dataset.id}"


async def test_items_are_streamed_oldest_first_as_an_experiment_would_read_them(
    stubs: Stubs, langfuse: LangfuseStandIn
):
    dataset = langfuse.project().datasets.load(ODD_NAME, items(1050))
    found = await list_items(stubs, name=ODD_NAME, text=True)
    assert [item.id for item in found] == [f"item-{number}" for number in range(1050)]
    assert found[7].input.text == '{"n":7}'
    assert found[7].expected_output.text == "14"
    assert found[7].dataset_id == dataset.id
    assert found[7].HasField("create_time")
    chosen = await list_items(stubs, name=ODD_NAME, metadata_equals={"third": 1}, limit=2)
    assert [item.id for item in chosen] == ["item-1", "item-4"]
    assert [item.id for item in await list_items(stubs, name=ODD_NAME, shuffle={"seed": 1}, limit=3)] != [
        "item-0",
        "item-1",
        "item-2",
    ]


async def test_an_empty_dataset_has_no_items(stubs: Stubs, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("empty", [{"id": "old", "status": "ARCHIVED"}])
    assert await list_items(stubs, name="empty") == []


async def test_an_item_that_is_larger_than_a_message_is_named(stubs: Stubs, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("d", [{"id": "huge", "input": "x" * 4_300_000}])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await list_items(stubs, name="d")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "PAYLOAD_TOO_LARGE"
    assert "'huge'" in str(refused.value.details())


@pytest.mark.parametrize("langfuse", MODES, indirect=True)
async def test_a_trace_is_tied_to_an_item_in_the_way_of_the_server(stubs: Stubs, langfuse: LangfuseStandIn):
    dataset = langfuse.project().datasets.load("d", items(3))
    linked = await link(stubs, run_description="a run", run_metadata={"model": "m", "n": 1})
    stable = stable_run_id("project-one", dataset.id, "nightly")
    if langfuse.settings.mode == "events_only":
        assert (linked.dataset_run_id, linked.dataset_run_item_id) == (stable, "")
        assert linked.url == f"{langfuse.url}/project/project-one/experiments/results?baseline={stable}"
    else:
        (run,) = langfuse.project().runs.all()
        (run_item,) = run.items
        assert (linked.dataset_run_id, linked.dataset_run_item_id) == (run.id, run_item.id)
        assert (run.description, run.metadata) == ("a run", {"model": "m", "n": 1})
        assert (run_item.item_id, run_item.trace_id) == ("item-1", TRACE)
        assert run_item.observation_id == OBSERVATION
        assert linked.url == f"{langfuse.url}/project/project-one/datasets/{dataset.id}/runs/{run.id}"
    assert dict(linked.span_attributes) == {
        "langfuse.environment": "sdk-experiment",
        "langfuse.experiment.id": linked.dataset_run_id,
        "langfuse.experiment.name": "nightly",
        "langfuse.experiment.description": "a run",
        "langfuse.experiment.metadata": '{"model":"m","n":1}',
        "langfuse.experiment.dataset.id": dataset.id,
        "langfuse.experiment.item.id": "item-1",
        "langfuse.experiment.item.root_observation_id": OBSERVATION,
        "langfuse.experiment.item.metadata": '{"even":false,"third":1,"tags":["a",{"b":1}]}',
        "langfuse.experiment.item.expected_output": "2",
    }


@pytest.mark.parametrize("langfuse", MODES, indirect=True)
async def test_a_version_is_stamped_and_ties_to_what_the_item_was(stubs: Stubs, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("d", items(3))
    old = await link(stubs, dataset_version="2020-01-01T00:00:00Z")
    new = await link(stubs, dataset_version="2999-01-01T00:00:00.5Z")
    assert old.span_attributes["langfuse.experiment.item.version"] == "2020-01-01T00:00:00.000Z"
    assert new.span_attributes["langfuse.experiment.item.version"] == "2999-01-01T00:00:00.500Z"
    # What the item was before its last change, Langfuse does not tell for one item.
    assert "langfuse.experiment.item.expected_output" not in old.span_attributes
    assert new.span_attributes["langfuse.experiment.item.expected_output"] == "2"


@pytest.mark.parametrize("langfuse", MODES, indirect=True)
async def test_scores_of_traces_observations_and_runs_arrive(stubs: Stubs, langfuse: LangfuseStandIn):
    trace = {"trace_id": TRACE.upper()}
    receipts = await create(
        stubs,
        {"name": "number", "trace": trace | {"observation_id": OBSERVATION}, "number": 0.9, "comment": "why"},
        {"name": "boolean", "trace": trace, "boolean": True, "environment": "ci"},
        {"name": "label", "dataset_run_id": "run-1", "label": "good", "metadata": {"value": {"by": "ci"}}},
        {"name": "own", "id": "mine", "trace": trace, "number": 0, "time": "2026-11-22T01:02:03.456Z"},
        wait=True,
    )
    assert {receipt.delivery for receipt in receipts} == {dataset_service_pb2.SCORE_DELIVERY_ACCEPTED}
    assert receipts[3].id == "mine"
    found = kept(langfuse)
    assert [found[name].id for name in ("number", "boolean", "label", "own")] == [r.id for r in receipts]
    number, boolean, label, own = (found[name] for name in ("number", "boolean", "label", "own"))
    assert (number.value, number.data_type, number.comment) == (0.9, "NUMERIC", "why")
    assert (number.trace_id, number.observation_id) == (TRACE, OBSERVATION)
    assert number.environment == "sdk-experiment"
    assert (boolean.value, boolean.data_type, boolean.environment) == (1, "BOOLEAN", "ci")
    assert (label.value, label.data_type, label.run_id) == ("good", "CATEGORICAL", "run-1")
    assert label.metadata == {"by": "ci"}
    assert own.timestamp == 1_795_309_323_456_000_000


async def test_the_same_scores_twice_are_there_once(stubs: Stubs, langfuse: LangfuseStandIn):
    score = {"name": "a", "trace": {"trace_id": TRACE}, "number": 1, "time": "2026-11-22T00:00:00Z"}
    (first,) = await create(stubs, score, wait=True)
    (second,) = await create(stubs, score, wait=True)
    (other,) = await create(stubs, score | {"number": 2}, wait=True)
    assert first.id == second.id != other.id
    assert len(langfuse.project().scores.all()) == 2


async def test_a_thousand_scores_go_in_few_requests(stubs: Stubs, langfuse: LangfuseStandIn):
    scores = [{"name": f"s{n}", "trace": {"trace_id": TRACE}, "number": n} for n in range(1000)]
    receipts = await create(stubs, *scores, wait=True)
    assert all(each.delivery == dataset_service_pb2.SCORE_DELIVERY_ACCEPTED for each in receipts)
    assert len(langfuse.project().scores.all()) == 1000
    assert langfuse.log.count("POST /api/public/scores") <= 4


async def test_a_score_that_langfuse_refuses_is_told_with_the_reason(stubs: Stubs, langfuse: LangfuseStandIn):
    good, bad = await create(
        stubs,
        {"name": "good", "trace": {"trace_id": TRACE}, "number": 1},
        {"name": "bad", "trace": {"trace_id": TRACE}, "number": 1, "config_id": "none such"},
        wait=True,
    )
    assert good.delivery == dataset_service_pb2.SCORE_DELIVERY_ACCEPTED
    assert bad.delivery == dataset_service_pb2.SCORE_DELIVERY_REJECTED
    assert bad.error.reason == "LANGFUSE_REJECTED"
    assert "none such" in bad.error.message


async def test_scores_are_taken_while_langfuse_is_down_and_survive_a_restart(
    langfuse: LangfuseStandIn, tmp_path: Path
):
    score = {"name": "a", "trace": {"trace_id": TRACE}, "number": 1}
    await langfuse.go_down()
    async with server_of(tmp_path, langfuse) as stubs:
        (queued,) = await create(stubs, score)
        assert queued.delivery == dataset_service_pb2.SCORE_DELIVERY_QUEUED
        request = json_format.ParseDict(
            {"scores": [score | {"name": "b"}], "wait": True}, dataset_service_pb2.CreateScoresRequest()
        )
        (waited,) = (await stubs.datasets.CreateScores(request, timeout=3)).receipts
        assert waited.delivery == dataset_service_pb2.SCORE_DELIVERY_QUEUED
        assert waited.error.reason == "LANGFUSE_UNAVAILABLE"
    await langfuse.come_up()
    async with server_of(tmp_path, langfuse) as stubs:
        (after,) = await create(stubs, score | {"name": "c"}, wait=True)
        assert after.delivery == dataset_service_pb2.SCORE_DELIVERY_ACCEPTED
    assert kept(langfuse).keys() == {"a", "b", "c"}


async def test_what_does_not_exist_is_named(stubs: Stubs, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("d", [*items(2), {"id": "old", "status": "ARCHIVED"}])
    langfuse.project().datasets.load("other", [{"id": "elsewhere"}])
    for call, expected in (
        (lambda: get(stubs, name="none"), "DATASET_NOT_FOUND"),
        (lambda: list_items(stubs, name="none"), "DATASET_NOT_FOUND"),
        (lambda: link(stubs, dataset_name="none", dataset_item_id="none"), "DATASET_NOT_FOUND"),
        (lambda: link(stubs, dataset_item_id="none"), "DATASET_ITEM_NOT_FOUND"),
        (lambda: link(stubs, dataset_item_id="elsewhere"), "DATASET_ITEM_NOT_FOUND"),
        (lambda: link(stubs, dataset_item_id="old"), "DATASET_ITEM_NOT_FOUND"),
        (lambda: get(stubs, name="d", langfuse_project="none"), "LANGFUSE_PROJECT_NOT_FOUND"),
        (lambda: list_items(stubs, name="d", project="none"), "LANGFUSE_PROJECT_NOT_FOUND"),
        (lambda: link(stubs, langfuse_project="none"), "LANGFUSE_PROJECT_NOT_FOUND"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call()
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert reason(refused.value) == expected


async def test_bad_requests_are_named_field_by_field(stubs: Stubs, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("d", items(1))
    requests: list[tuple[Any, set[str]]] = [
        (lambda: get(stubs), {"name"}),
        (lambda: list_items(stubs, limit=-1), {"langfuse_dataset.name", "langfuse_dataset.limit"}),
        (lambda: list_items(stubs, name="d", version="2999-01-01T00:00:00Z"), {"langfuse_dataset.version"}),
        (
            lambda: link(
                stubs,
                dataset_name="",
                dataset_item_id="",
                run_name=" ",
                trace_id="x",
                observation_id="0" * 16,
            ),
            {"dataset_name", "dataset_item_id", "run_name", "trace_id", "observation_id"},
        ),
        (lambda: create(stubs), {"scores"}),
        (
            lambda: create(
                stubs,
                {"trace": {"trace_id": "1"}, "label": ""},
                {"name": "n", "id": "a", "trace": {"trace_id": TRACE, "observation_id": "z"}},
                {"name": "n", "id": "a", "number": "Infinity", "metadata": {"value": [1]}},
                {"name": "n", "id": 'a"b', "dataset_run_id": "", "number": 1, "environment": "langfuse-x"},
            ),
            {
                "scores[0].name",
                "scores[0].trace.trace_id",
                "scores[0].label",
                "scores[1]",
                "scores[1].trace.observation_id",
                "scores[2]",
                "scores[2].id",
                "scores[2].number",
                "scores[2].metadata",
                "scores[3].id",
                "scores[3].dataset_run_id",
                "scores[3].environment",
            },
        ),
    ]
    for call, fields in requests:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call()
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert set(violations(refused.value)) == fields


async def test_without_a_project_the_calls_say_how_to_configure_one(tmp_path: Path):
    async with server_of(tmp_path, None) as stubs:
        for call in (
            lambda: get(stubs, name="d"),
            lambda: list_items(stubs, name="d"),
            lambda: link(stubs),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call()
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert reason(refused.value) == "LANGFUSE_NOT_CONFIGURED"
            assert "LANGFUSE_PUBLIC_KEY" in str(refused.value.details())


async def test_a_langfuse_that_is_down_is_told_with_a_time_to_retry(stubs: Stubs, langfuse: LangfuseStandIn):
    await langfuse.go_down()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await get(stubs, name="d")
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(failed.value) == "LANGFUSE_UNAVAILABLE"
