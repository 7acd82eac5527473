"""How experiments are recorded in Langfuse, seen from outside: through the service and at the stand-in."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evalrpc.v1 import experiment_pb2, langfuse_pb2
from tests.langfuse.capitals import Capitals
from tests.langfuse.recording import observe, recording
from tests.service.calls import results, run, spec
from tests.standins.clients.run import ITEMS, load_dataset
from tests.standins.endpoints import Endpoints
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings
from tests.standins.langfuse.models import ScoreConfigBody
from tests.standins.langfuse.run_items import stable_run_id

SECRET = "sk-lf-one"


def spans(standin: LangfuseStandIn, project: str | None = None) -> list[Any]:
    found = standin.project(project).spans
    return [found.span(row) for row in found.rows()]


async def test_results_point_home(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    async with recording(tmp_path, standin) as server:
        first = await run(server.stubs, app.spec("local"))
        events = await run(server.stubs, app.spec("local"))

    base = f"{standin.url}/project/project-one"
    for result in results(events):
        assert result.trace_url == f"{base}/traces/{result.trace_id}"
    status = events[-1].experiment.langfuse
    assert status.url == f"{base}/experiments/results?baseline={status.experiment_id}"
    assert (status.project, status.queued, status.accepted, status.rejected) == ("default", 0, 10, 0)
    assert not status.dataset_run_id
    assert status.experiment_id != first[-1].experiment.langfuse.experiment_id


async def test_a_hosted_run_has_the_id_that_langfuse_derives(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    load_dataset(standin)
    experiment = await observe(standin, app, "hosted", tmp_path)
    dataset = standin.project().datasets.all()[0]
    assert experiment.langfuse.experiment_id == stable_run_id("project-one", dataset.id, "capitals run")
    assert experiment.langfuse.dataset_run_id == experiment.langfuse.experiment_id
    assert experiment.langfuse.link_mode == langfuse_pb2.LANGFUSE_LINK_MODE_ATTRIBUTES
    assert standin.log.count("POST /api/public/dataset-run-items") == 0


@pytest.mark.parametrize("standin", [Settings(mode="dual")], indirect=True)
async def test_the_operator_may_choose_the_link_mode(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    load_dataset(standin)
    keys = standin.project().keys
    project = {
        "base_url": standin.url,
        "public_key": keys.public_key,
        "secret_key": "${secret:LANGFUSE}",
        "link_mode": "v4",
    }
    file = tmp_path / "projects.json"
    file.write_text(json.dumps({"projects": {"only": project}}))
    flags = ("--langfuse-projects", str(file))
    async with recording(tmp_path, None, *flags, env={"EVALRPC_SECRET_LANGFUSE": keys.secret_key}) as server:
        experiment = (await run(server.stubs, app.spec("hosted")))[-1].experiment
    assert experiment.langfuse.project == "only"
    assert experiment.langfuse.link_mode == langfuse_pb2.LANGFUSE_LINK_MODE_ATTRIBUTES
    assert standin.stats()["projects"]["project-one"]["run_items"] == 0


async def test_labels_stand_on_every_span(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    labels = {
        "name": "capital question",
        "tags": ["nightly", "größer"],
        "session_id": "session-1",
        "user_id": "ada",
        "environment": "ci-runs",
    }
    await observe(standin, app, "local", tmp_path, trace=labels)
    for span in spans(standin):
        assert span.attributes["langfuse.trace.name"] == "capital question"
        assert span.attributes["langfuse.trace.tags"] == ["nightly", "größer"]
        assert (span.attributes["session.id"], span.attributes["user.id"]) == ("session-1", "ada")
        assert span.attributes["langfuse.environment"] == "ci-runs"
    assert {score.environment for score in standin.project().scores.all()} == {"ci-runs"}


@pytest.mark.parametrize("standin", [Settings(), Settings(mode="dual")], indirect=True)
async def test_each_trial_is_an_experiment_of_its_own(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    load_dataset(standin)
    experiment = await observe(standin, app, "hosted", tmp_path, repetitions=3)

    found: dict[tuple[str, str], set[str]] = {}
    for span in spans(standin):
        if span.attributes["langfuse.experiment.item.root_observation_id"] == span.span_id:
            name = span.attributes["langfuse.experiment.name"]
            identity = span.attributes["langfuse.experiment.id"]
            found.setdefault((name, identity), set()).add(span.attributes["langfuse.experiment.item.id"])
            metadata = json.loads(span.attributes["langfuse.experiment.metadata"])
            assert metadata["repetitions"] == 3
    assert sorted(name for name, _ in found) == [
        "capitals run",
        "capitals run (trial 2)",
        "capitals run (trial 3)",
    ]
    assert len({identity for _, identity in found}) == 3
    assert all(items == {item["id"] for item in ITEMS} for items in found.values())
    assert ("capitals run", experiment.langfuse.experiment_id) in found
    runs = standin.stats()["projects"]["project-one"]
    assert (runs["runs"], runs["run_items"]) == ((3, 9) if standin.settings.mode == "dual" else (0, 0))


async def test_failures_and_retries_are_told(standin: LangfuseStandIn, tmp_path: Path):
    async with Endpoints() as endpoints, recording(tmp_path, standin) as server:
        failing = spec(
            endpoints.url("/status?code=503"),
            "question",
            retry={"max_attempts": 3, "initial_backoff": "0.01s"},
            langfuse_sync="LANGFUSE_SYNC_WAIT",
        )
        (result,) = results(await run(server.stubs, failing))
    by_name = {span.name: span for span in spans(standin)}
    assert set(by_name) == {"experiment-item-run", "experiment-item-task"}
    root, task = by_name["experiment-item-run"], by_name["experiment-item-task"]
    assert [event.name for event in root.events] == ["retry", "retry", "exception"]
    assert [event.attributes["attempt"] for event in root.events[:2]] == [1, 2]
    assert root.start <= root.events[0].time <= root.events[1].time <= task.start <= task.end <= root.end
    for span in (root, task):
        assert span.attributes["langfuse.observation.level"] == "ERROR"
        assert span.attributes["langfuse.observation.status_message"] == result.error.message
        assert span.attributes["langfuse.observation.input"] == "question"
        assert (span.status_code, span.status_message) == (2, f"TASK_HTTP_STATUS: {result.error.message}")


async def test_the_task_span_has_the_time_of_the_task_and_evaluators_their_own(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    async with recording(tmp_path, standin) as server:
        events = await run(server.stubs, app.spec("local"))
    by_trace: dict[str, dict[str, Any]] = {}
    for span in spans(standin):
        by_trace.setdefault(span.trace_id, {})[span.name] = span
    for result in results(events):
        found = by_trace[result.trace_id]
        task, root = found["experiment-item-task"], found["experiment-item-run"]
        assert task.start == result.start_time.ToNanoseconds() == root.start
        assert task.end - task.start == pytest.approx(result.task_duration.ToNanoseconds(), abs=1)
        if result.HasField("error"):
            continue
        evaluation = found["experiment-item-evaluation"]
        assert task.end <= evaluation.start <= evaluation.end == root.end
        for name in ("accuracy", "verdict", "concise", "broken"):
            assert evaluation.start <= found[name].start <= found[name].end <= evaluation.end
            assert found[name].parent_id == evaluation.span_id


async def test_usage_makes_the_task_a_generation(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    answer = {
        "output": "hello",
        "usage": {"input_tokens": 12, "output_tokens": 3, "cost_usd": 0.0005, "model": "gpt-x"},
        "contexts": [{"text": "a passage", "id": "p1", "source": "wiki"}],
        "metadata": {"route": "fast"},
    }
    async with recording(tmp_path, standin) as server:
        asked = spec(f"{app.url}/parrot", {"input": {"value": answer}}, langfuse_sync="LANGFUSE_SYNC_WAIT")
        await run(server.stubs, asked)
    task = next(span for span in spans(standin) if span.name == "experiment-item-task").attributes
    assert task["langfuse.observation.type"] == "generation"
    assert task["langfuse.observation.model.name"] == "gpt-x"
    assert json.loads(task["langfuse.observation.usage_details"]) == {"input": 12, "output": 3}
    assert json.loads(task["langfuse.observation.cost_details"]) == {"total": 0.0005}
    contexts = json.loads(task["langfuse.observation.metadata.contexts"])
    assert contexts == [{"text": "a passage", "id": "p1", "source": "wiki"}]
    assert json.loads(task["langfuse.observation.metadata.output_metadata"]) == {"route": "fast"}


async def test_nothing_is_recorded_where_that_is_switched_off(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    load_dataset(standin)
    for source in ("local", "hosted"):
        data = tmp_path / source
        experiment = await observe(standin, app, source, data, langfuse_sync="LANGFUSE_SYNC_OFF")
        assert experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
        assert not experiment.HasField("langfuse")
    counts = standin.stats()["projects"]["project-one"]
    assert (counts["spans"], counts["scores"]) == (0, 0)


async def test_waiting_for_langfuse_ends_with_its_deadline_and_delivery_goes_on(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    async with recording(tmp_path, standin) as server:
        await server.delivered((await run(server.stubs, app.spec("local")))[-1].experiment.id)
        await standin.go_down()
        events = await run(server.stubs, app.spec("local", langfuse_sync_timeout="0.3s"))
        experiment = events[-1].experiment
        assert experiment.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
        assert (experiment.langfuse.queued, experiment.langfuse.accepted) == (10, 0)
        assert experiment.langfuse.last_error.reason == "LANGFUSE_UNAVAILABLE"
        assert "connection refused" in experiment.langfuse.last_error.message
        assert experiment.langfuse.HasField("last_error_time")

        await standin.come_up()
        status = await server.delivered(experiment.id)
    assert (status.queued, status.accepted, status.rejected) == (0, 10, 0)
    assert not status.HasField("last_error")
    assert standin.stats()["projects"]["project-one"]["scores"] == 14


async def test_a_run_in_the_background_is_delivered_soon(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    async with recording(tmp_path, standin) as server:
        events = await run(server.stubs, app.spec("local", langfuse_sync="LANGFUSE_SYNC_BACKGROUND"))
        status = await server.delivered(events[-1].experiment.id)
    assert (status.queued, status.accepted) == (0, 10)


def config(standin: LangfuseStandIn, name: str, kind: str, **fields: Any) -> str:
    body = ScoreConfigBody.model_validate({"name": name, "dataType": kind} | fields)
    return standin.project().scores.add_config(body).id


@pytest.mark.parametrize("standin", [Settings(), Settings(mode="legacy")], indirect=True)
async def test_scores_that_break_their_config_are_kept_counted_and_explained(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    quality = config(standin, "quality", "NUMERIC", minValue=0, maxValue=1)
    taste = config(standin, "taste", "CATEGORICAL", categories=[{"label": "sweet", "value": 1}])
    evaluations = [
        {"name": "quality", "value": 0.5, "config_id": quality},
        {"name": "quality", "value": 7, "config_id": quality},
        {"name": "taste", "value": "sweet", "config_id": taste},
        {"name": "taste", "value": "sour", "config_id": taste},
        {"name": "free", "value": 3},
        {"name": "unknown", "value": 1, "config_id": "no-such-config"},
    ]
    item = {"input": {"value": "?"}, "metadata": {"value": {"evaluations": evaluations}}}
    judged = spec(
        f"{app.url}/parrot",
        item,
        evaluators=[{"name": "judge", "http": {"url": f"{app.url}/dictated"}}],
        langfuse_sync="LANGFUSE_SYNC_WAIT",
    )
    async with recording(tmp_path, standin) as server:
        status = (await run(server.stubs, judged))[-1].experiment.langfuse
    assert (status.queued, status.accepted, status.rejected) == (0, 4, 3)
    assert status.last_error.reason == "LANGFUSE_REJECTED"
    assert "not sent" in status.last_error.message
    table = standin.project().scores
    assert sorted((score.name, score.value) for score in table.all()) == [
        ("free", 3.0),
        ("quality", 0.5),
        ("taste", "sweet"),
    ]
    assert list(table.dropped) == []
    with closing(sqlite3.connect(tmp_path / "evalrpc.db")) as database:
        kept = database.execute("SELECT error, payload FROM outbox WHERE state = 'rejected'").fetchall()
    assert len(kept) == 3
    assert all(payload for _, payload in kept)
    assert any("has no category 'sour'" in error for error, _ in kept)
    assert any("from 0 to 1, and it is 7" in error for error, _ in kept)


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_credentials_appear_nowhere(standin: LangfuseStandIn, app: Capitals, tmp_path: Path):
    standin.faults.add(Fault(("401",), path="/scores", times=2))
    async with recording(tmp_path, standin, "--log-level", "debug") as server:
        events = await run(server.stubs, app.spec("local", langfuse_sync_timeout="5s"))
        told = "".join(str(event) for event in events) + str(await server.get(events[-1].experiment.id))
        output = server.program.output
    stored = everything_in(tmp_path)
    basic = "cGstbGYtb25lOnNrLWxmLW9uZQ"  # the base64 of both keys
    for secret in (SECRET, basic):
        assert secret not in told
        assert secret not in output
        assert secret.encode() not in stored
    for span in spans(standin):
        assert SECRET not in json.dumps(span.attributes)


async def test_two_projects_never_see_each_others_records(app: Capitals, tmp_path: Path):
    async with LangfuseStandIn() as standin:
        one, two = standin.settings.projects
        projects = {
            name: {
                "base_url": standin.url,
                "public_key": keys.public_key,
                "secret_key": keys.secret_key,
            }
            for name, keys in (("one", one), ("two", two))
        }
        file = tmp_path / "projects.yaml"
        file.write_text(json.dumps({"projects": projects}))
        async with recording(tmp_path, None, "--langfuse-projects", str(file)) as server:
            runs = await asyncio.gather(
                *(
                    run(server.stubs, app.spec("local", langfuse_project=name, run_name=f"of {name}"))
                    for name in ("one", "two")
                )
            )
        for name, project, events in zip(("one", "two"), (one, two), runs, strict=True):
            own = {result.trace_id for result in results(events)}
            found = spans(standin, project.id)
            assert {span.trace_id for span in found} == own
            assert {span.attributes["langfuse.experiment.name"] for span in found} == {f"of {name}"}
            scored = standin.project(project.id).scores.all()
            assert {score.trace_id for score in scored if score.trace_id} <= own
            assert len(scored) == 7


@pytest.mark.parametrize("sync", ["LANGFUSE_SYNC_WAIT", "LANGFUSE_SYNC_BACKGROUND"])
@pytest.mark.parametrize("standin", [Settings(), Settings(mode="dual")], indirect=True)
async def test_what_arrived_is_read_back_where_that_is_wanted(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path, sync
):
    load_dataset(standin)
    keys = standin.project().keys
    project = {
        "base_url": standin.url,
        "public_key": keys.public_key,
        "secret_key": keys.secret_key,
        "verify": True,
    }
    file = tmp_path / "projects.json"
    file.write_text(json.dumps({"projects": {"only": project}}))
    standin.hold_records()
    async with recording(tmp_path, None, "--langfuse-projects", str(file)) as server:
        running = asyncio.create_task(
            run(server.stubs, app.spec("hosted", langfuse_sync=sync, repetitions=2))
        )
        async with asyncio.timeout(30):
            while standin.log.count("GET /api/public/experiment-items") == 0:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.02)
        standin.show_all()
        events = await running
        async with asyncio.timeout(30):
            status = (await server.get(events[-1].experiment.id)).langfuse
            while status.verified < status.accepted:  # only the server knows
                await asyncio.sleep(0.1)
                status = (await server.get(events[-1].experiment.id)).langfuse
    assert status.verified == status.accepted == (25 if standin.settings.mode == "dual" else 19)


async def test_a_project_that_left_the_configuration_keeps_its_records(
    standin: LangfuseStandIn, app: Capitals, tmp_path: Path
):
    async with recording(tmp_path, standin) as server:
        await standin.go_down()
        events = await run(server.stubs, app.spec("local", langfuse_sync_timeout="0.1s"))
        identity = events[-1].experiment.id
    async with recording(tmp_path, None) as server:
        status = (await server.get(identity)).langfuse
        assert (status.queued, status.last_error.reason) == (10, "LANGFUSE_PROJECT_NOT_FOUND")
    await standin.come_up()
    async with recording(tmp_path, standin, settings={"traces_shown_after": 1}) as server:
        status = await server.delivered(identity)
        assert (status.accepted, status.rejected) == (10, 0)
    with closing(sqlite3.connect(tmp_path / "evalrpc.db")) as database:
        assert database.execute("SELECT DISTINCT state FROM outbox").fetchall() == [("accepted",)]
