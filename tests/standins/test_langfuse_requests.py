"""What the stand-in says to requests as such: keys, modes, limits, unknown paths."""

from __future__ import annotations

import pytest

from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse_api import SINCE, Api, basic

LEGACY_READS = [
    "/datasets/d/runs",
    "/datasets/d/runs/r",
    "/dataset-run-items?datasetId=d&runName=r",
    "/traces",
    "/traces/t",
    "/observations",
    "/scores",
    "/scores/s",
    "/v2/scores",
]


def keys(public: str, secret: str) -> dict[str, str]:
    return {"Authorization": basic(public, secret)}


async def test_health_is_public(api: Api):
    answer = await api.call("GET", "/health", auth=False)

    assert (answer.status, answer.body) == (200, {"status": "OK", "version": "4.59.0"})


async def test_keys_open_their_own_project(langfuse: LangfuseStandIn, api: Api):
    async with Api(langfuse, "project-two") as other:
        assert (await api.get("/projects")).body["data"][0]["id"] == "project-one"
        assert (await other.get("/projects")).body["data"][0]["id"] == "project-two"
        await api.post("/v2/datasets", {"name": "mine"})
        assert (await other.get("/v2/datasets/mine")).status == 404


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "No authorization header"),
        (keys("pk-lf-one", "wrong"), 401, "Invalid credentials. Confirm that you've configured the correct host."),
        (keys("pk-lf-one", "sk-lf-two"), 401, "Invalid credentials. Confirm that you've configured the correct host."),
        ({"Authorization": "Basic !"}, 401, "Invalid authorization header"),
        ({"Authorization": "Bearer pk-lf-one"}, 403, "Access denied - need to use basic auth with secret key"),
    ],
)  # fmt: skip
async def test_other_callers_are_refused(api: Api, headers, status, message):
    answer = await api.call("GET", "/projects", auth=False, headers=headers)

    assert (answer.status, answer.body) == (status, {"message": message})


async def test_organization_keys_are_refused(api: Api):
    answer = await api.call("GET", "/projects", headers=keys("pk-lf-org", "sk-lf-org"))

    assert answer.status == 403


async def test_the_public_key_alone_may_write_scores(api: Api):
    headers = {"Authorization": "Bearer pk-lf-one"}
    score = {"name": "a", "value": 1, "traceId": "t"}

    assert (await api.call("POST", "/scores", headers=headers, json=score)).status == 200


async def test_unknown_paths_and_methods(api: Api):
    page = await api.get("/nothing")
    method = await api.call("PATCH", "/v2/datasets")

    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (404, "text/html")
    assert (method.status, method.body["message"]) == (405, "Method not allowed")


@pytest.mark.parametrize("path", LEGACY_READS)
async def test_events_only_mode_has_no_legacy_reads(api: Api, path):
    answer = await api.call("GET", path, auth=False)

    assert answer.status == 404
    assert "events_only mode" in answer.body["message"]


@pytest.mark.parametrize("langfuse", [Settings(mode="legacy")], indirect=True)
@pytest.mark.parametrize("path", ["/experiments", "/experiment-items", "/v2/observations"])
async def test_legacy_mode_has_no_event_reads(api: Api, path):
    answer = await api.get(path, **SINCE)

    assert (answer.status, answer.body["error"]) == (404, "LangfuseNotFoundError")
    assert "only available in a Langfuse v4 write mode" in answer.body["message"]


@pytest.mark.parametrize(
    ("settings", "version"),
    [
        (Settings(), "4.59.0"),
        (Settings(score_arrays=False), "4.16.0"),
        (Settings(mode="dual"), "4.59.0"),
        (Settings(mode="legacy"), "3.225.11"),
    ],
)
def test_versions_go_with_behaviour(settings, version):
    assert settings.version == version


@pytest.mark.parametrize(("limit", "status"), [("100", 200), ("101", 400), ("0", 400), ("many", 400)])
async def test_page_limits(api: Api, limit, status):
    assert (await api.get("/v2/datasets", limit=limit)).status == status
    assert (await api.get("/experiments", limit=limit, **SINCE)).status == status


async def test_bodies_have_limits(api: Api):
    score = {"name": "a", "value": 1, "traceId": "t", "comment": "x" * (1 << 20)}
    event = {"id": "e", "type": "score-create", "timestamp": "2026-11-22T00:00:00Z", "body": score}

    too_large = await api.post("/scores", score)
    in_a_batch = await api.post("/ingestion", {"batch": [event]})
    batch_too_large = await api.post("/ingestion", {"batch": [event] * 5})

    assert (too_large.status, too_large.body) == (413, "Body exceeded 1mb limit")
    assert in_a_batch.status == 207
    assert (batch_too_large.status, batch_too_large.body) == (413, "Body exceeded 4.5mb limit")


async def test_malformed_json(api: Api):
    answer = await api.call("POST", "/scores", data=b"{not json")

    assert (answer.status, answer.body) == (400, "Invalid JSON")


async def test_requests_are_counted(langfuse: LangfuseStandIn, api: Api):
    await api.post("/v2/datasets", {"name": "one"})
    await api.get("/v2/datasets/one")
    await api.get("/v2/datasets/none")

    assert langfuse.log.count("GET /api/public/v2/datasets/{name}") == 2
    assert langfuse.log.count("GET /api/public/v2/datasets/{name}", status=404) == 1
    assert [entry.path for entry in langfuse.log.entries][-1] == "/api/public/v2/datasets/none"
    assert langfuse.log.entries[0].project == "project-one"
