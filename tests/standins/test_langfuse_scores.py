"""Scores: what is refused, what merges, what the worker drops, and the three ways in."""

from __future__ import annotations

import pytest

from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse_api import Api

OLDER = pytest.mark.parametrize("langfuse", [Settings(score_arrays=False)], indirect=True)
DUAL = pytest.mark.parametrize("langfuse", [Settings(mode="dual")], indirect=True)
SCORE = {"id": "s", "name": "n", "value": 1, "traceId": "t"}


def event(number: int, body: object, kind: str = "score-create") -> dict[str, object]:
    return {"id": f"e{number}", "type": kind, "timestamp": "2026-11-22T10:00:00.000Z", "body": body}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"observationId": "o"},
        {"value": "label"},
        {"value": 1, "dataType": "BOOLEAN"},
        {"value": "x" * 500, "dataType": "TEXT"},
        {"traceId": None, "sessionId": "s"},
        {"traceId": None, "datasetRunId": "r"},
        {"metadata": ["any", "document"]},
        {"unknown": "ignored"},
    ],
)
async def test_accepted_scores(api: Api, change):
    answer = await api.post("/scores", {**SCORE, **change})

    assert (answer.status, answer.body) == (200, {"id": "s"})


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"value": None},
        {"value": True},
        {"value": True, "dataType": "BOOLEAN"},
        {"value": 2, "dataType": "BOOLEAN"},
        {"value": "1", "dataType": "NUMERIC"},
        {"value": 1, "dataType": "CATEGORICAL"},
        {"value": "", "dataType": "TEXT"},
        {"value": "x" * 501, "dataType": "TEXT"},
        {"dataType": "PERCENT"},
        {"traceId": None},
        {"sessionId": "s"},
        {"datasetRunId": "r"},
        {"traceId": None, "datasetRunId": "r", "observationId": "o"},
        {"source": "EVAL"},
        {"source": "ANNOTATION"},
        {"timestamp": "yesterday"},
    ],
)
async def test_refused_scores(api: Api, langfuse: LangfuseStandIn, change):
    answer = await api.post("/scores", {**SCORE, **change})

    assert (answer.status, answer.body["message"]) == (400, "Invalid request data")
    assert answer.body["error"]
    assert langfuse.project().scores.all() == []


async def test_arrays_are_taken_entry_by_entry(api: Api, langfuse: LangfuseStandIn):
    good = [{**SCORE, "id": f"s{number}"} for number in range(3)]

    all_good = await api.post("/scores", good)
    mixed = await api.post("/scores", [{**SCORE, "id": "s3"}, {**SCORE, "value": None}])

    assert (all_good.status, all_good.body) == (202, {"message": "Accepted"})
    assert (mixed.status, mixed.body["accepted"], mixed.body["rejected"]) == (207, 1, 1)
    assert list(mixed.body["errors"][0]) == ["message"]
    assert {score.id for score in langfuse.project().scores.all()} == {"s0", "s1", "s2", "s3"}


@OLDER
async def test_older_servers_take_one_object_and_set_the_time(api: Api, langfuse: LangfuseStandIn):
    array = await api.post("/scores", [SCORE])
    single = await api.post("/scores", {**SCORE, "timestamp": "2020-01-01T00:00:00Z"})

    assert (array.status, array.body["error"][0]["code"]) == (400, "invalid_type")
    assert single.status == 200
    (score,) = (await api.get("/v3/scores")).body["data"]
    assert not score["timestamp"].startswith("2020")


async def test_the_same_id_replaces_within_a_day(api: Api):
    at = "2026-11-22T10:00:00.000Z"
    await api.post("/scores", {**SCORE, "comment": "kept", "metadata": {"a": 1}, "timestamp": at})
    await api.post("/scores", {**SCORE, "value": 2, "traceId": "other", "timestamp": at})

    (score,) = (await api.get("/v3/scores", fields="details,subject")).body["data"]
    assert (score["value"], score["comment"], score["metadata"]) == (2, "kept", {"a": 1})
    assert score["subject"] == {"kind": "trace", "id": "t"}
    assert score["timestamp"] == at


@pytest.mark.parametrize("change", [{"timestamp": "2026-11-23T00:00:00.000Z"}, {"name": "other"}])
async def test_another_day_or_name_makes_a_second_score(api: Api, change):
    at = {"timestamp": "2026-11-22T10:00:00.000Z"}
    await api.post("/scores", {**SCORE, **at})
    await api.post("/scores", {**SCORE, **at, **change})

    assert len((await api.get("/v3/scores", id="s")).body["data"]) == 2


async def test_configs_drop_silently(api: Api, langfuse: LangfuseStandIn):
    changes: list[dict[str, object]] = [
        {"value": 0.5},
        {"value": 2},
        {"name": "other"},
        {"value": "label"},
        {"configId": "none"},
    ]
    made = await api.post(
        "/score-configs", {"name": "n", "dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
    )
    config = {"configId": made.body["id"]}
    for number, change in enumerate(changes):
        answer = await api.post("/scores", {**SCORE, **config, **change, "id": f"s{number}"})
        assert answer.status == 200
    await api.call("PATCH", f"/score-configs/{made.body['id']}", json={"isArchived": True})
    await api.post("/scores", {**SCORE, **config, "value": 0.5, "id": "s5"})

    assert [score.id for score in langfuse.project().scores.all()] == ["s0"]
    assert [identity for identity, _ in langfuse.project().scores.dropped] == ["s1", "s2", "s3", "s4", "s5"]


@pytest.mark.parametrize(
    "change",
    [{"name": "x" * 36}, {"name": "a/b"}, {"dataType": "CATEGORICAL"}, {"minValue": 2, "maxValue": 1}],
)
async def test_refused_score_configs(api: Api, change):
    assert (await api.post("/score-configs", {"name": "n", "dataType": "NUMERIC", **change})).status == 400


async def test_ingestion_answers_entry_by_entry(api: Api, langfuse: LangfuseStandIn):
    batch = [
        event(1, SCORE),
        event(2, {**SCORE, "id": "bad", "value": None}),
        event(3, {}, "sdk-log"),
        event(4, {"id": "t"}, "trace-create"),
    ]

    answer = await api.post("/ingestion", {"batch": batch, "metadata": {"any": "thing"}})

    assert answer.status == 207
    assert answer.body["successes"] == [{"id": "e1", "status": 201}, {"id": "e3", "status": 201}]
    assert [(error["id"], error["status"]) for error in answer.body["errors"]] == [("e2", 400), ("e4", 400)]
    (score,) = (await api.get("/v3/scores")).body["data"]
    assert score["timestamp"] == "2026-11-22T10:00:00.000Z"
    assert (await api.post("/ingestion", {})).status == 400


async def test_scores_become_readable_late(api: Api, langfuse: LangfuseStandIn):
    langfuse.hold_records()
    await api.post("/scores", SCORE)
    assert (await api.get("/v3/scores")).body["data"] == []

    langfuse.show_all()

    assert len((await api.get("/v3/scores")).body["data"]) == 1


@pytest.mark.parametrize("langfuse", [Settings(event_delay=6)], indirect=True)
async def test_the_delay_runs_on_the_stand_ins_clock(api: Api, langfuse: LangfuseStandIn):
    langfuse.clock.freeze()
    await api.post("/scores", SCORE)
    langfuse.clock.advance(5.9)
    assert (await api.get("/v3/scores")).body["data"] == []

    langfuse.clock.advance(0.2)

    assert len((await api.get("/v3/scores")).body["data"]) == 1


async def test_lists_filter_and_page(api: Api):
    scores = [
        {
            **SCORE,
            "id": f"s{n:03}",
            "traceId": f"t{n % 2}",
            "value": n,
            "timestamp": f"2026-11-22T10:{n:02}:00Z",
        }
        for n in range(50)
    ]
    scores.append({"id": "r", "name": "mean", "value": 1, "dataType": "BOOLEAN", "datasetRunId": "run"})
    await api.post("/scores", scores)

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/v3/scores", limit=7, traceId="t1", **cursor)).body
        seen += [score["id"] for score in page["data"]]
        if "cursor" not in page["meta"]:
            break
        cursor = {"cursor": page["meta"]["cursor"]}
    assert seen == [f"s{n:03}" for n in range(49, 0, -2)]
    (mean,) = (await api.get("/v3/scores", experimentId="run", fields="subject")).body["data"]
    assert (mean["value"], mean["subject"]) == (True, {"kind": "experiment", "id": "run"})
    assert len((await api.get("/v3/scores", valueMin=10, valueMax=19)).body["data"]) == 10
    assert (await api.get("/v3/scores", traceId="t", experimentId="e")).status == 400
    assert (await api.get("/v3/scores", observationId="o")).status == 400
    assert (await api.get("/v3/scores", fields="everything")).status == 400


@DUAL
async def test_older_lists_carry_labels_beside_numbers(api: Api):
    await api.post("/scores", [{**SCORE, "dataType": "BOOLEAN"}, {**SCORE, "id": "c", "value": "good"}])

    found = {score["id"]: score for score in (await api.get("/v2/scores")).body["data"]}

    assert (found["s"]["value"], found["s"]["stringValue"]) == (1, "True")
    assert (found["c"]["value"], found["c"]["stringValue"]) == (0, "good")
    assert (await api.get("/scores/c")).body["stringValue"] == "good"
    assert (await api.call("DELETE", "/scores/c")).status == 202
    assert (await api.get("/scores/c")).status == 404
