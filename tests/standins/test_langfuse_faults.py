"""Outages by switch, in the process of the test and from outside."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from tests.standins.langfuse import Fault, LangfuseStandIn
from tests.standins.langfuse.remote import RemoteStandIn, launched
from tests.standins.langfuse_api import Api, basic

SCORE = {"id": "s", "name": "n", "value": 1, "traceId": "t"}


async def test_a_status_for_some_requests(langfuse: LangfuseStandIn, api: Api):
    langfuse.faults.add(Fault(("503",), path="/scores", times=2, retry_after=3))

    answers = [await api.post("/scores", SCORE) for _ in range(3)]

    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "3"
    assert (await api.get("/projects")).status == 200
    assert langfuse.stats()["faults"] == {"503": 2}
    assert langfuse.log.count("POST /api/public/scores", status=503) == 2


async def test_cut_connections_are_not_processed(langfuse: LangfuseStandIn, api: Api):
    rule = langfuse.faults.add(Fault(("cut",)))
    with pytest.raises(aiohttp.ClientError):
        await api.post("/scores", SCORE)
    assert langfuse.project().scores.all() == []

    langfuse.faults.remove(rule)

    assert (await api.post("/scores", SCORE)).status == 200


async def test_lost_answers_are_processed(langfuse: LangfuseStandIn, api: Api):
    langfuse.faults.add(Fault(("lost",), times=1))

    with pytest.raises(aiohttp.ClientError):
        await api.post("/scores", SCORE)

    assert len(langfuse.project().scores.all()) == 1
    assert langfuse.log.count("POST /api/public/scores", status=0) == 1


async def test_requests_time_out(langfuse: LangfuseStandIn, api: Api):
    langfuse.faults.add(Fault(("timeout",), hold=60))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await api.post("/scores", SCORE)

    assert langfuse.project().scores.all() == []


async def test_faults_at_random_repeat_with_their_seed(langfuse: LangfuseStandIn, api: Api):
    async def statuses() -> list[int]:
        langfuse.faults.seed(7)
        return [(await api.post("/scores", SCORE)).status for _ in range(40)]

    langfuse.faults.add(Fault(("500", "429"), ratio=0.3))

    first = await statuses()
    assert first == await statuses()
    assert set(first) == {200, 429, 500}


def test_unknown_faults_are_refused():
    with pytest.raises(ValueError, match="known are"):
        Fault(("explode",))


async def test_the_port_refuses_and_comes_back(langfuse: LangfuseStandIn, api: Api):
    url = langfuse.url
    assert (await api.get("/projects")).status == 200

    await langfuse.go_down()

    with pytest.raises(aiohttp.ClientError):
        await api.get("/projects")
    with pytest.raises(aiohttp.ClientConnectorError):
        await api.get("/projects")
    assert (await api.call("GET", "/stats", control=True)).status == 200

    await langfuse.come_up()

    assert langfuse.url == url
    assert (await api.get("/projects")).status == 200


async def test_rate_limits_count_by_resource(langfuse: LangfuseStandIn, api: Api):
    langfuse.rates.use_plan("hobby")
    langfuse.clock.freeze()

    answers = [await api.post("/scores", SCORE) for _ in range(31)]

    limited = answers[-1]
    assert [answer.status for answer in answers] == [200] * 30 + [429]
    assert (limited.headers["Retry-After"], limited.headers["X-RateLimit-Limit"]) == ("60", "30")
    assert (await api.get("/v2/datasets")).status == 200
    langfuse.clock.advance(61)
    assert (await api.post("/scores", SCORE)).status == 200


async def test_the_date_may_be_wrong(langfuse: LangfuseStandIn, api: Api):
    right = parsedate_to_datetime((await api.get("/projects")).headers["Date"])

    langfuse.date_skew = 3600

    skewed = parsedate_to_datetime((await api.get("/projects")).headers["Date"])
    assert 3500 < (skewed - right).total_seconds() < 3700


def status(standin: RemoteStandIn, path: str) -> int:
    keys = standin.environment
    authorization = basic(keys["LANGFUSE_PUBLIC_KEY"], keys["LANGFUSE_SECRET_KEY"])
    request = urllib.request.Request(
        f"{standin.url}/api/public{path}", headers={"Authorization": authorization}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            code: int = response.status
    except urllib.error.HTTPError as error:
        with error:
            code = error.code
    return code


def test_a_process_is_controlled_from_outside():
    with launched("--port", "0", "--mode", "dual") as standin:
        loaded = standin.load("d", [{"input": number} for number in range(3)])
        assert loaded["itemCount"] == 3
        assert status(standin, "/v2/datasets/d") == 200

        standin.change(faults=[{"kinds": ["500"], "path": "/projects"}], answer_delay=0.001)
        assert status(standin, "/projects") == 500
        standin.change(faults=[])
        assert status(standin, "/projects") == 200

        standin.change(down=True)
        with pytest.raises(urllib.error.URLError):
            status(standin, "/projects")
        standin.change(down=False)
        assert status(standin, "/projects") == 200

        stats = standin.stats()
        assert stats["mode"] == "dual"
        assert stats["statuses"]["GET /api/public/projects 500"] == 1
        assert standin.dump() == {"spans": [], "scores": [], "runs": [], "dropped_scores": []}
        assert standin.records()["requests"] == {
            "GET /api/public/projects": 2,
            "GET /api/public/v2/datasets/{name}": 1,
        }
        with pytest.raises(ValueError, match="explode"):
            standin.change(faults=[{"kinds": ["explode"]}])
        with pytest.raises(ValueError, match="unknown"):
            standin.change(unknown=1)
