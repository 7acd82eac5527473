"""Datasets, items and runs: names, versions, decoded texts, links."""

from __future__ import annotations

import pytest

from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse.run_items import stable_run_id
from tests.standins.langfuse_api import Api

DUAL = pytest.mark.parametrize("langfuse", [Settings(mode="dual")], indirect=True)


async def put_item(api: Api, dataset: str = "d", **fields: object):
    answer = await api.post("/dataset-items", {"datasetName": dataset, **fields})
    assert answer.status == 200, answer.body
    return answer.body


@pytest.fixture
async def dataset(api: Api) -> str:
    answer = await api.post("/v2/datasets", {"name": "d"})
    identity: str = answer.body["id"]
    return identity


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("plain", 200),
        ("folder/with space|and Ünïcode", 200),
        (" untrimmed ", 200),
        ("", 400),
        ("/leading", 400),
        ("trailing/", 400),
        ("a//b", 400),
        ("<b>bold</b>", 400),
    ],
)
async def test_dataset_names(api: Api, name, status):
    answer = await api.post("/v2/datasets", {"name": name})

    assert answer.status == status
    if status == 200:
        assert answer.body["name"] == name


@pytest.mark.parametrize(("path", "status"), [("a%2Fb", 200), ("a%252Fb", 200), ("a/b", 404)])
async def test_names_in_paths_are_percent_encoded(api: Api, path, status):
    await api.post("/v2/datasets", {"name": "a/b"})

    assert (await api.call("GET", f"/v2/datasets/{path}")).status == status


async def test_datasets_are_changed_by_name(api: Api):
    first = await api.post("/v2/datasets", {"name": "d", "description": "one", "metadata": {"a": 1}})
    second = await api.post("/v2/datasets", {"name": "d", "description": "two", "unknown": True})

    assert second.body["id"] == first.body["id"]
    assert (second.body["description"], second.body["metadata"]) == ("two", {"a": 1})


async def test_schemas_guard_items(api: Api):
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    await api.post("/v2/datasets", {"name": "d", "inputSchema": schema})

    good = await api.post("/dataset-items", {"datasetName": "d", "input": {"q": "?"}})
    bad = await api.post("/dataset-items", {"datasetName": "d", "input": {"q": 1}})
    strict = await api.post("/v2/datasets", {"name": "e", "inputSchema": {"x-foo": 1}})

    assert (good.status, bad.status, strict.status) == (200, 400, 400)
    assert bad.body["message"].startswith("Dataset item validation failed")
    assert strict.body["message"] == "Must be a valid JSON Schema"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1", 1),
        ("true", True),
        ("null", None),
        ('{"a":1}', {"a": 1}),
        ("", None),
        ('"1"', "1"),
        ("plain", "plain"),
        ({"text": "1"}, {"text": "1"}),
    ],
)
async def test_texts_that_are_json_are_stored_decoded(api: Api, dataset, sent, kept):
    assert (await put_item(api, input=sent))["input"] == kept


async def test_partial_writes_keep_and_decode_again(api: Api, dataset):
    item = await put_item(api, id="i", input='"1"', expectedOutput="x", metadata={"a": 1})
    later = await put_item(api, id="i", expectedOutput=None)
    cleared = await put_item(api, id="i", expectedOutput="")

    assert item["input"] == "1"
    assert (later["input"], later["expectedOutput"], later["metadata"]) == (1, "x", {"a": 1})
    assert cleared["expectedOutput"] is None


async def test_lists_show_active_items_newest_write_first(api: Api, langfuse: LangfuseStandIn, dataset):
    langfuse.clock.freeze()
    for identity in ("a", "b", "c"):
        await put_item(api, id=identity, input=identity)
        langfuse.clock.advance(1)
    await put_item(api, id="a", input="again")
    await put_item(api, id="b", status="ARCHIVED")

    listed = await api.get("/dataset-items", datasetName="d")
    page = await api.get("/dataset-items", datasetName="d", limit=1, page=2)

    assert [item["id"] for item in listed.body["data"]] == ["a", "c"]
    assert [item["id"] for item in page.body["data"]] == ["c"]
    assert page.body["meta"] == {"page": 2, "limit": 1, "totalItems": 2, "totalPages": 2}
    assert (await api.get("/dataset-items/b")).body["status"] == "ARCHIVED"


async def test_versions_are_moments(api: Api, langfuse: LangfuseStandIn, dataset):
    langfuse.clock.freeze()
    first = await put_item(api, id="a", input="old")
    await put_item(api, id="gone", input="x")
    langfuse.clock.advance(10)
    await put_item(api, id="a", input="new")
    await api.call("DELETE", "/dataset-items/gone")

    async def at(version: str) -> dict[str, object]:
        answer = await api.get("/dataset-items", datasetName="d", version=version)
        return {item["id"]: item["input"] for item in answer.body["data"]}

    assert await at(first["createdAt"]) == {"a": "old", "gone": "x"}
    assert await at("2099-01-01T00:00:00Z") == {"a": "new"}
    assert await at("2020-01-01T00:00:00Z") == {}
    assert (await api.get("/dataset-items", version=first["createdAt"])).status == 400
    assert (await api.get("/dataset-items", datasetName="d", version="yesterday")).status == 400


async def test_item_ids_belong_to_one_dataset(api: Api, dataset):
    await api.post("/v2/datasets", {"name": "other"})
    await put_item(api, id="i", input=1)

    elsewhere = await api.post("/dataset-items", {"datasetName": "other", "id": "i", "input": 2})
    nowhere = await api.post("/dataset-items", {"datasetName": "none", "input": 2})
    long = await api.post("/dataset-items", {"datasetName": "d", "id": "x" * 256})

    assert (elsewhere.status, elsewhere.body["error"]) == (409, "LangfuseConflictError")
    assert nowhere.status == 404
    assert long.status == 400


async def test_deleted_items_leave_their_id(api: Api, dataset):
    await put_item(api, id="i", input=1)

    assert (await api.call("DELETE", "/dataset-items/i")).status == 200
    assert (await api.call("DELETE", "/dataset-items/i")).status == 404
    assert (await put_item(api, id="i", input=2))["input"] == 2


async def test_many_items_load_and_page(api: Api, langfuse: LangfuseStandIn):
    langfuse.project().datasets.load("big", ({"input": number} for number in range(250)))

    pages = [await api.get("/dataset-items", datasetName="big", limit=100, page=n) for n in (1, 2, 3)]

    inputs = [item["input"] for page in pages for item in page.body["data"]]
    assert inputs == list(range(249, -1, -1))
    assert pages[0].body["meta"]["totalPages"] == 3


@DUAL
async def test_links_make_runs(api: Api, langfuse: LangfuseStandIn, dataset):
    await put_item(api, id="i", input=1)
    body = {"runName": "r/1", "runDescription": "first", "datasetItemId": "i", "traceId": "t"}

    first = await api.post("/dataset-run-items", {**body, "metadata": {"a": 1}, "observationId": "o"})
    again = await api.post("/dataset-run-items", {**body, "runDescription": "second"})

    assert first.body["datasetRunId"] == again.body["datasetRunId"]
    assert first.body["id"] != again.body["id"]
    found = await api.call("GET", "/datasets/d/runs/r%2F1")
    assert (found.body["description"], found.body["metadata"]) == ("first", {"a": 1})
    assert [item["id"] for item in found.body["datasetRunItems"]] == [again.body["id"], first.body["id"]]
    listed = await api.get("/dataset-run-items", datasetId=dataset, runName="r/1")
    assert len(listed.body["data"]) == 2
    assert (await api.call("DELETE", "/datasets/d/runs/r%2F1")).status == 200
    assert (await api.call("GET", "/datasets/d/runs/r%2F1")).status == 404


async def test_events_only_tells_the_run_id_and_stores_nothing(api: Api, langfuse: LangfuseStandIn, dataset):
    await put_item(api, id="i", input=1)

    answer = await api.post("/dataset-run-items", {"runName": "r", "datasetItemId": "i", "traceId": "t"})

    assert answer.body["datasetRunId"] == stable_run_id("project-one", dataset, "r")
    assert langfuse.project().runs.all() == []


def test_the_derived_id_is_the_published_one():
    assert stable_run_id("proj1", "ds1", "run-1") == "ab76b6ada8a5be23"


@DUAL
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"unknown": 1}, 400),
        ({"traceId": None}, 400),
        ({"runName": 5}, 400),
        ({"datasetItemId": "none"}, 404),
        ({"datasetItemId": "archived"}, 404),
        ({"traceId": None, "observationId": "none"}, 404),
        ({"datasetVersion": None, "observationId": None, "metadata": None}, 200),
        ({"datasetVersion": "not a time"}, 400),
    ],
)
async def test_links_are_checked(api: Api, dataset, change, status):
    await put_item(api, id="i", input=1)
    await put_item(api, id="archived", input=1, status="ARCHIVED")
    body = {"runName": "r", "datasetItemId": "i", "traceId": "t", **change}

    assert (await api.post("/dataset-run-items", body)).status == status
