"""Nobody finds a key: what callers write out as credentials is used, survives a kill, and is kept nowhere in the clear."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import psycopg
import pytest
from aiohttp import web
from google.protobuf import json_format

from evalrpc.v1 import evaluator_service_pb2, experiment_service_pb2
from tests.http.triggering import SECONDS, body_of, ended
from tests.servers import Server, Stubs, serving
from tests.service.calls import first_event, run_request, watch
from tests.standins.langfuse import LangfuseStandIn
from tests.store.postgres_server import PostgresServer

HEADER = "Hdr-7f3a9c51e2b84d60"
TEMPLATE = "Tpl-1b8e44d09a7c3f25"
QUERY = "Qry-62d5f0a1b39c8e47"
PRE_CALL = "Pre-0c9e1d7a5b34f826"
EVALUATOR = "Eva-d41c7e90b2a6853f"
REGISTERED = "Reg-93b0a7f5c1d28e64"
RUN = "Run-5e27d8b4f06a9c13"
GRPC = "Grp-a86f13c9e0d5724b"
METADATA = "Met-2f7d90e8c5b1a364"
WEBHOOK = "Web-b7c40e9d1a5f8326"
REFERENCE = "Ref-18c5f7a2e9d0b463"
SIGNING = "lf-whsec_" + "ab" * 32
SECRETS = (
    HEADER,
    TEMPLATE,
    QUERY,
    PRE_CALL,
    EVALUATOR,
    REGISTERED,
    RUN,
    GRPC,
    METADATA,
    WEBHOOK,
    REFERENCE,
    SIGNING,
)
ITEMS = 12
FREE = 4


class App:
    """An application and its evaluators; they want their keys, and tell them to everybody."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: set[str] = set()
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()

    async def task(self, request: web.Request) -> web.Response:
        body = await request.json()
        said = self.note(request, body)
        if body["n"] >= FREE:
            self.waiting.set()
            await self.go_on.wait()
        if body["n"] == 1:
            return web.Response(status=500, text=said)
        return web.json_response({"output": said, "metadata": {"said": said}})

    async def evaluate(self, request: web.Request) -> web.Response:
        said = self.note(request, {})
        return web.json_response({"value": 1, "comment": said, "metadata": {"said": said}})

    async def session(self, request: web.Request) -> web.Response:
        return web.json_response({"session": "s", "said": self.note(request, {})})

    def note(self, request: web.Request, body: Any) -> str:
        said = f"{dict(request.headers)} {request.query_string} {json.dumps(body)}"
        self.seen |= {secret for secret in SECRETS if secret in said}
        return said


@asynccontextmanager
async def application() -> AsyncIterator[App]:
    made = App()
    app = web.Application()
    app.add_routes(
        [
            web.post("/task", made.task),
            web.post("/evaluate", made.evaluate),
            web.post("/session", made.session),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def task(app: App) -> dict[str, Any]:
    return {
        "http": {
            "url": f"{app.url}/task?api_key={QUERY}",
            "headers": {"Authorization": f"Bearer {HEADER}", "X-Api-Key": "${secret:REFERENCE}"},
            "body": {"n": "{{input.n}}", "auth": {"access_token": TEMPLATE}},
            "pre_call": {"url": f"{app.url}/session", "headers": {"X-Auth-Token": PRE_CALL}},
        }
    }


def experiment(app: App) -> dict[str, Any]:
    return {
        "name": "secrecy",
        "metadata": {"api_key": METADATA},
        "langfuse_dataset": {"name": "capitals"},
        "task": task(app),
        "retry": {"max_attempts": 1},
        "evaluators": [
            {"name": "judge", "http": {"url": f"{app.url}/evaluate", "headers": {"x-api-key": EVALUATOR}}},
            {"name": "kept", "registered": "kept"},
            {"name": "rpc", "grpc": {"target": "127.0.0.1:9", "metadata": {"authorization": f"Bearer {GRPC}"}}},
        ],
        "run_evaluators": [
            {"name": "run", "http": {"url": f"{app.url}/evaluate", "headers": {"Authorization": f"Basic {RUN}"}}}
        ],
    }  # fmt: skip


@asynccontextmanager
async def server(data: Path, langfuse: LangfuseStandIn, *flags: str) -> AsyncIterator[tuple[Server, Stubs]]:
    own = langfuse.settings.projects[1]  # the server's own spans go to a project of their own
    basic = base64.b64encode(f"{own.public_key}:{own.secret_key}".encode()).decode()
    env = {
        **langfuse.environment(),
        "EVALRPC_SECRET_REFERENCE": REFERENCE,
        "EVALRPC_SECRET_SIGNING": SIGNING,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{langfuse.url}/api/public/otel/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"Authorization=Basic%20{basic},x-langfuse-ingestion-version=4",
    }
    flags = ("--log-level", "debug", "--webhook-secrets", "SIGNING", "--webhook-unsigned", *flags)
    manager = serving(data, *flags, env=env)
    made = await asyncio.to_thread(manager.__enter__)
    try:
        async with grpc.aio.insecure_channel(made.grpc) as channel:
            yield made, Stubs(channel)
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def stored(data: Path, url: str) -> str:
    """Everything in the store and beside it, the write-ahead log included."""
    files = [path.read_bytes().decode("latin-1") for path in data.rglob("*") if path.is_file()]
    assert url or any("SQLite format 3" in content for content in files)
    if url:
        with psycopg.connect(url) as connection:
            names = connection.execute(
                "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = current_schema()"
            ).fetchall()
            for (name,) in names:
                rows = connection.execute(f"SELECT t::text FROM {name} t").fetchall()
                files += [row[0] for row in rows]
    return "\n".join(files)


async def answers(stubs: Stubs, experiment_id: str) -> str:
    """Everything that callers are told of an experiment."""
    events = await watch(stubs, experiment_id)
    found = [json_format.MessageToJson(event) for event in events]
    get = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
    listed = experiment_service_pb2.ListExperimentsRequest()
    evaluators = evaluator_service_pb2.ListEvaluatorsRequest()
    found.append(json_format.MessageToJson(await stubs.experiments.GetExperiment(get)))
    found.append(json_format.MessageToJson(await stubs.experiments.ListExperiments(listed)))
    found.append(json_format.MessageToJson(await stubs.evaluators.ListEvaluators(evaluators)))
    assert "[redacted]" in found[-3]
    return "\n".join(found)


def recorded(langfuse: LangfuseStandIn) -> str:
    """Everything that Langfuse was sent, and the server's own spans."""
    found: list[str] = []
    for project in langfuse.projects.values():
        spans = [
            repr(project.spans.span(row))
            for trace in project.spans.trace_ids()
            for row in project.spans.of_trace(trace, events=False)
        ]
        assert spans
        found += [*spans, *(repr(score) for score in project.scores.all())]
    return "\n".join(found)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
async def test_no_key_is_found_anywhere_and_all_work_after_a_kill(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = ""
    if backend == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA secrecy")
        url = postgres.url("secrecy")
    flags = ("--store", url) if url else ()
    async with LangfuseStandIn() as langfuse, application() as app:
        langfuse.project().datasets.load(
            "capitals", [{"id": f"item-{n}", "input": {"n": n}} for n in range(ITEMS)]
        )
        async with server(tmp_path, langfuse, *flags) as (first, stubs):
            await stubs.evaluators.RegisterEvaluator(
                json_format.ParseDict(
                    {
                        "evaluator": {
                            "name": "kept",
                            "http": {"url": f"{app.url}/evaluate", "headers": {"x-key": REGISTERED}},
                        }
                    },
                    evaluator_service_pb2.RegisterEvaluatorRequest(),
                )
            )
            started = await first_event(stubs.experiments.RunExperiment(run_request(experiment(app))))
            experiment_id = started.experiment.id
            async with asyncio.timeout(SECONDS):
                await app.waiting.wait()
            first.program.signal(signal.SIGKILL)
            await asyncio.to_thread(first.program.wait)
            log = first.program.output
        found = [await asyncio.to_thread(stored, tmp_path, url)]
        app.seen.clear()
        app.go_on.set()
        async with server(tmp_path, langfuse, *flags) as (second, stubs):
            found.append(await answers(stubs, experiment_id))
            async with httpx.AsyncClient(base_url=f"http://{second.http}", timeout=SECONDS) as client:
                payload = {"task": {"http": {"url": f"{app.url}/task", "body": {"n": 0, "token": WEBHOOK}}}}
                answer = await client.post("/webhooks/langfuse", content=body_of(payload))
                assert answer.status_code == 202
                found += [answer.text, json.dumps(await ended(client, answer.json()["url"]))]
                broken = await client.post(
                    "/webhooks/langfuse", content=body_of({"api_key": WEBHOOK, "task": WEBHOOK})
                )
                assert broken.status_code == 422
                found += [broken.text, await answers(stubs, answer.json()["id"])]
            log += second.program.output
        found += [log, await asyncio.to_thread(stored, tmp_path, url), recorded(langfuse)]
    assert app.seen == set(SECRETS) - {GRPC, METADATA, SIGNING}
    for secret in SECRETS:
        assert all(secret not in each for each in found), secret
