"""Webhooks and runs over HTTP, at a real server whose Langfuse does not answer."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from evalrpc import AsyncClient
from evalrpc.v1 import definition_pb2
from tests.http.triggering import SECONDS, SECRET, body_of, signed
from tests.servers import Server, Stubs, serving

OLD = "lf-whsec_" + "01" * 32
TOKEN, SLOW = "evr_for-tests", "evr_slow"
TASK = {"task": {"http": {"url": "http://127.0.0.1:9/task"}}}
PATH = "/webhooks/langfuse"


class Webhooks:
    """A server, and the directory of its definitions."""

    def __init__(self, server: Server, definitions: Path) -> None:
        self.server = server
        self.definitions = definitions
        self.client = httpx.Client(base_url=f"http://{server.http}", timeout=SECONDS)

    def post(self, payload: Any, path: str = PATH, secret: str = SECRET) -> httpx.Response:
        body = body_of(payload)
        return self.client.post(path, content=body, headers=signed(body, secret))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture(scope="module")
def webhooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhooks]:
    directory = tmp_path_factory.mktemp("webhooks")
    (directory / "definitions").mkdir()
    (directory / "definitions" / "nightly.yaml").write_text(json.dumps(TASK))
    (directory / "tokens.yaml").write_text(
        f"tokens:\n  - {{name: ci, sha256: {digest(TOKEN)}}}\n"
        f"  - {{name: slow, sha256: {digest(SLOW)}, rpcs_per_second: 0.001}}\n"
    )
    flags = ["--definitions", str(directory / "definitions"), "--tokens", str(directory / "tokens.yaml")]
    flags += ["--webhook-secrets", "NEW, OLD"]
    env = {
        "EVALRPC_SECRET_NEW": SECRET,
        "EVALRPC_SECRET_OLD": OLD,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-one",
        "LANGFUSE_SECRET_KEY": "sk-lf-one",
        "LANGFUSE_BASE_URL": "http://127.0.0.1:9",
    }
    with serving(directory / "data", *flags, env=env) as server:
        made = Webhooks(server, directory / "definitions")
        with made.client:
            yield made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_webhook_is_answered_at_once_though_langfuse_is_down(webhooks: Webhooks) -> None:
    answer = webhooks.post(TASK | {"description": "at once"})
    assert answer.status_code == 202
    started = answer.json()
    assert started["dataset"] == started["name"] == "capitals"
    assert started["run_name"].startswith("capitals - 20")
    assert answer.headers["location"] == started["url"] == f"/runs/{started['id']}"
    deadline = time.monotonic() + SECONDS
    while "waiting" not in (run := webhooks.client.get(started["url"], headers=bearer(TOKEN)).json()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert run["state"] == "EXPERIMENT_STATE_PENDING"
    assert run["waiting"]["reason"] == "LANGFUSE_UNAVAILABLE"
    again = webhooks.post(TASK | {"description": "at once"})
    assert again.status_code == 202
    assert again.json() == started | {"repeated": True}


def test_either_secret_signs_and_nothing_else_lets_in(webhooks: Webhooks) -> None:
    body = body_of(TASK | {"description": "signed"})
    for secret in (SECRET, OLD):
        assert webhooks.client.post(PATH, content=body, headers=signed(body, secret)).status_code == 202
    refused = [
        signed(body, "lf-whsec_wrong"),
        signed(body + b" "),
        signed(body, at=time.time() - 301),
        {"x-langfuse-signature": "nonsense"},
        signed(body, "lf-whsec_wrong") | bearer(TOKEN),
        bearer("wrong"),
        {},
    ]
    for headers in refused:
        answer = webhooks.client.post(PATH, content=body, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"]
    webhooks.server.program.wait_for("refused a webhook")


def test_a_token_lets_in_too_within_its_rate(webhooks: Webhooks) -> None:
    body = body_of(TASK | {"description": "token"})
    assert webhooks.client.post(PATH, content=body, headers=bearer(TOKEN)).status_code == 202
    statuses = [webhooks.client.post(PATH, content=body, headers=bearer(SLOW)).status_code for _ in range(2)]
    assert statuses == [202, 429]
    limited = webhooks.client.post(PATH, content=body, headers=bearer(SLOW))
    assert int(limited.headers["retry-after"]) > 1


def test_a_bad_payload_is_told_and_logged(webhooks: Webhooks) -> None:
    answer = webhooks.post({"ragflow_chat_id": 5, "ragflow_api_key": "ragflow-sk-12345678"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["violations"] == [{"path": "payload.ragflow_chat_id", "description": "must be a string"}]
    assert "payload.ragflow_chat_id" in error["message"]
    line = webhooks.server.program.wait_for(r'.*"problem": "payload\.ragflow_chat_id: must be a string".*')[0]
    assert json.loads(line)["level"] == "warning"
    assert "sk-12345678" not in answer.text + webhooks.server.program.output
    assert webhooks.post("not json").status_code == 422
    wrong = body_of(TASK, project="another")
    assert webhooks.client.post(PATH, content=wrong, headers=signed(wrong)).status_code == 202


def test_definitions_have_addresses_and_are_read_again(webhooks: Webhooks) -> None:
    path = webhooks.definitions / "nightly.yaml"
    assert webhooks.post("", f"{PATH}/nightly").json()["name"] == "nightly"
    assert webhooks.post("", f"{PATH}/none").status_code == 404
    path.write_text(json.dumps(TASK | {"name": "renamed"}))
    os.utime(path, (1, 1))
    assert webhooks.post(" ", f"{PATH}/nightly").json()["name"] == "renamed"
    path.write_text("task: [")
    os.utime(path, (2, 2))
    assert webhooks.post("{}", f"{PATH}/nightly").json()["name"] == "renamed"
    webhooks.server.program.wait_for("a definition cannot be used; its last good version stays")


async def test_definitions_are_listed_in_pages_with_what_is_wrong(webhooks: Webhooks) -> None:
    secret = {"http": {"url": "http://127.0.0.1:9/", "headers": {"Authorization": "Bearer sk-written-out-1"}}}
    (webhooks.definitions / "a.yaml").write_text(json.dumps({"task": secret, "max_concurrency": 3}))
    (webhooks.definitions / "b.yaml").write_text("taks: {}")
    token = grpc.aio.Metadata(("authorization", f"Bearer {TOKEN}"))
    found: list[definition_pb2.Definition] = []
    page = ""
    async with grpc.aio.insecure_channel(webhooks.server.grpc) as channel:
        for _ in range(2):
            request = definition_pb2.ListDefinitionsRequest(page_size=2, page_token=page)
            response = await Stubs(channel).experiments.ListDefinitions(request, metadata=token)
            found += response.definitions
            page = response.next_page_token
    assert [each.name for each in found] == ["a", "b", "nightly"]
    assert page == ""
    assert found[0].experiment.max_concurrency == 3
    assert found[0].experiment.task.http.headers["Authorization"] == "Bearer [redacted]"
    assert not found[1].HasField("experiment")
    assert found[1].problem == "taks: is not a field of the spec; see ExperimentSpec for those that are"
    assert found[1].update_time.seconds > 0
    async with AsyncClient(webhooks.server.grpc, token=TOKEN) as client:
        definitions = [each async for each in client.list_definitions(page_size=1)]
    assert [(each.name, each.problem) for each in definitions] == [
        (each.name, each.problem) for each in found
    ]
    assert (definitions[0].experiment or {})["max_concurrency"] == 3
    assert definitions[1].experiment is None


def test_runs_are_told_to_those_with_a_token(webhooks: Webhooks) -> None:
    url = webhooks.post(TASK | {"description": "told"}).json()["url"]
    assert webhooks.client.get(url).status_code == 401
    assert webhooks.client.get(f"{url}/report").status_code == 401
    page = webhooks.client.get(url, headers={"accept": "text/html"})
    assert page.status_code == 200  # it holds nothing of the run, and asks for the token
    assert page.content == webhooks.client.get("/runs/exp_none", headers={"accept": "text/html"}).content
    answer = webhooks.client.get(url, headers=bearer(TOKEN) | {"accept": "application/json,text/html"})
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["spec"]["langfuse_dataset"]["name"] == "capitals"
    missing = webhooks.client.get("/runs/exp_none", headers=bearer(TOKEN))
    assert (missing.status_code, missing.json()["error"]["reason"]) == (404, "EXPERIMENT_NOT_FOUND")


def test_the_bridges_own_addresses_are_there(webhooks: Webhooks) -> None:
    health = webhooks.client.get("/webhook/health").json()
    assert health["status"] == "healthy"
    assert health["timestamp"].endswith("Z")
    assert health["version"]
    seed = {"bridge": "ragflow", "ragflow_api_key": "ragflow-1", "ragflow_chat_id": "c", "theirs": 1}
    answer = webhooks.post(seed, "/webhook/dataset/process-items")
    assert answer.status_code == 202
    assert answer.json()["ignored"] == ["theirs"]
