"""Nothing is lost, and nothing is there twice: outages, kills, errors, cut connections, lost answers."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalrpc.v1 import experiment_pb2
from evalrpc_server.store.sqlite import FILE_NAME
from tests.langfuse.capitals import Capitals
from tests.langfuse.recording import Recording, recording
from tests.service.calls import FINAL, spec, start
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings

DATASET = "thousands"
EVALUATORS = [{"builtin": {"name": "exact_match"}}, {"builtin": {"name": "length"}}]
RUN_EVALUATORS = [{"name": "mean_length", "builtin": {"name": "mean", "params": {"evaluation": "length"}}}]
SPANS = 5

# Like a real server, the stand-in shows what it took a while later, and evalrpc is told how much later that is.
SETTINGS = Settings(span_delay=0.2, event_delay=0.4)
PROJECT = {"traces_shown_after": 1.0, "links_shown_after": 1.2}
MODES = pytest.mark.parametrize(
    "standin",
    [SETTINGS, replace(SETTINGS, mode="dual"), replace(SETTINGS, mode="legacy")],
    indirect=True,
    ids=["events_only", "dual", "legacy"],
)
V4_MODES = pytest.mark.parametrize(
    "standin", [SETTINGS, replace(SETTINGS, mode="dual")], indirect=True, ids=["events_only", "dual"]
)


def experiment(app: Capitals, count: int, *, hosted: bool = False, **fields: Any) -> dict[str, Any]:
    items = [
        {"id": f"i{number}", "input": {"value": number}, "expected_output": {"value": number}}
        for number in range(count)
    ]
    made = spec(
        f"{app.url}/parrot",
        *items,
        evaluators=EVALUATORS,
        run_evaluators=RUN_EVALUATORS,
        max_concurrency=50,
        **fields,
    )
    if hosted:
        del made["items"]
        made["langfuse_dataset"] = {"name": DATASET}
    return made


def serving(data_dir: Path, standin: LangfuseStandIn) -> AbstractAsyncContextManager[Recording]:
    return recording(data_dir, standin, settings=PROJECT)


def load(standin: LangfuseStandIn, count: int) -> None:
    items = [{"id": f"i{number}", "input": number, "expectedOutput": number} for number in range(count)]
    standin.project().datasets.load(DATASET, items)


async def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Waits for something that happens in this process, at the stand-in or the application."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the stand-in counts, and tells nobody
            await asyncio.sleep(0.02)


async def until_ended(server: Recording, identity: str, *, seconds: float = 90) -> experiment_pb2.Experiment:
    async with asyncio.timeout(seconds):
        while (found := await server.get(identity)).state not in FINAL:  # noqa: ASYNC110  as above
            await asyncio.sleep(0.05)
    return found


async def kill(server: Recording) -> None:
    """Ends the server as a power cut would."""
    server.program.signal(signal.SIGKILL)
    await asyncio.to_thread(server.program.wait)


def check_all_there_once(standin: LangfuseStandIn, count: int, *, linked: bool) -> None:
    project = standin.project()
    counts = standin.stats()["projects"]["project-one"]
    assert counts["spans"] == SPANS * count
    assert counts["traces"] == count
    if standin.settings.mode != "legacy":  # which knows observations by their ids, as newer servers do scores
        assert counts["spans_received"] == counts["spans"], "spans were sent twice"
    assert counts["scores"] == 2 * count + 1
    scored = Counter(score.trace_id for score in project.scores.all() if score.trace_id)
    assert set(scored.values()) == {2}
    assert len(scored) == count
    (of_run,) = [score for score in project.scores.all() if score.run_id]
    roots = [project.spans.span(row) for row in project.spans.rows()]
    identities = {span.attributes["langfuse.experiment.id"] for span in roots}
    assert identities == {of_run.run_id}
    if linked:
        (run,) = project.runs.all()
        assert run.id == of_run.run_id
        assert Counter(item.trace_id for item in run.items) == Counter(dict.fromkeys(scored, 1))
        assert len({item.item_id for item in run.items}) == count
    else:
        assert project.runs.all() == []


@pytest.mark.timeout(300)
async def test_langfuse_is_down_for_a_whole_run_and_the_server_is_killed_twice(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    count = 2000
    await standin.go_down()
    async with serving(tmp_path, standin) as server:
        identity = await start(server.stubs, experiment(app, count))
        await until(lambda: app.calls > 500)
        await kill(server)
    async with serving(tmp_path, standin) as server:
        await until(lambda: app.calls > 1200)
        await kill(server)
    async with serving(tmp_path, standin) as server:
        ended = await until_ended(server, identity)
        assert ended.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
        status = (await server.get(identity)).langfuse
        assert (status.queued, status.accepted) == (3 * count + 1, 0)
        assert status.last_error.reason == "LANGFUSE_UNAVAILABLE"

        await standin.come_up()
        status = await server.delivered(identity)
    assert (status.accepted, status.rejected) == (3 * count + 1, 0)
    check_all_there_once(standin, count, linked=False)


def stored_items(directory: Path) -> int:
    """Returns how many items of hosted data the server has stored: what it has, it does not fetch again."""
    with closing(sqlite3.connect(f"file:{directory / FILE_NAME}?mode=ro", uri=True)) as store:
        (count,) = store.execute("SELECT count(*) FROM items").fetchone()
    return int(count)


@V4_MODES
@pytest.mark.timeout(300)
async def test_a_hosted_run_survives_an_outage_and_two_kills(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    count = 600
    load(standin, count)
    app.gate.clear()
    async with serving(tmp_path, standin) as server:
        identity = await start(server.stubs, experiment(app, count, hosted=True))
        await until(lambda: stored_items(tmp_path) == count)
        await standin.go_down()
        app.gate.set()
        await until(lambda: app.calls > 200)
        await kill(server)
    async with serving(tmp_path, standin) as server:
        await until(lambda: app.calls > 400)
        await kill(server)
    async with serving(tmp_path, standin) as server:
        ended = await until_ended(server, identity)
        assert ended.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
        await standin.come_up()
        await server.delivered(identity, seconds=120)
    check_all_there_once(standin, count, linked=standin.settings.mode != "events_only")


@V4_MODES
@pytest.mark.timeout(300)
async def test_killed_in_the_middle_of_delivery_nothing_is_sent_twice(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    """An export is processed and its answer lost; before the server could look for it, it is killed."""
    count = 300
    load(standin, count)
    async with serving(tmp_path, standin) as server:
        standin.faults.add(Fault(("lost",), path="/otel", times=1))
        identity = await start(server.stubs, experiment(app, count, hosted=True))
        await until(lambda: standin.stats()["projects"]["project-one"]["spans"] > 0)
        await kill(server)
    async with serving(tmp_path, standin) as server:
        await until_ended(server, identity)
        await server.delivered(identity, seconds=120)
    check_all_there_once(standin, count, linked=standin.settings.mode != "events_only")


@MODES
@pytest.mark.timeout(400)
async def test_errors_timeouts_and_cuts_at_random(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    # Links are slow, because each is a request of its own.
    count = 2000 if standin.settings.mode == "events_only" else 60
    load(standin, count)
    standin.faults.seed(11)
    standin.faults.add(
        Fault(("500", "429", "503", "timeout", "cut", "lost"), ratio=0.2, retry_after=1, hold=1)
    )
    async with serving(tmp_path, standin) as server:
        identity = await start(server.stubs, experiment(app, count, hosted=True))
        await until_ended(server, identity, seconds=120)
        await server.delivered(identity, seconds=240)
    assert sum(standin.faults.struck.values()) > 3
    check_all_there_once(standin, count, linked=standin.settings.mode != "events_only")


async def test_a_slow_langfuse_does_not_slow_the_items(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    """Every result is there before Langfuse has answered to a single record."""
    count = 500
    async with serving(tmp_path, standin) as server:
        await until(lambda: standin.log.count("GET /api/public/projects") > 0)
        standin.answering.clear()
        identity = await start(server.stubs, experiment(app, count))
        ended = await until_ended(server, identity)
        assert (ended.progress.completed, ended.langfuse.accepted) == (count, 0)
        standin.answering.set()
        await server.delivered(identity)
    check_all_there_once(standin, count, linked=False)
