"""The button in Langfuse: the page's own configuration, over a dataset, through RAGFlow and through Dify."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.documentation.blocks import blocks_of
from tests.http.triggering import SECONDS, SECRET, body_of, ended, signed
from tests.processes import ROOT
from tests.servers import Server, serving
from tests.standins.dify.app import DifyStandIn
from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.ragflow.app import RagflowStandIn

DEFAULTS = """
evaluators:
  - name: echoes
    builtin: {name: contains, params: {ignore_case: true}}
run_evaluators:
  - name: mean_echoes
    builtin: {name: mean, params: {evaluation: echoes}}
"""


@dataclass
class Stage:
    """A server beside stand-ins of all that it talks to."""

    server: Server
    client: httpx.AsyncClient
    langfuse: LangfuseStandIn
    ragflow: RagflowStandIn
    dify: DifyStandIn

    def seed_config(self) -> dict[str, Any]:
        """The configuration as the page shows it."""
        return {
            "bridge": "ragflow",
            "powerrag_api_key": self.dify.keys["chat"],
            "powerrag_api_url": f"{self.dify.base_url}/chat-messages",
            "inputs": {"user": "langfuse-dataset-runner"},
            "ragflow_api_key": self.ragflow.key,
            "ragflow_chat_id": self.ragflow.chat_id,
        }


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    definitions = directory / "definitions"
    definitions.mkdir()
    (definitions / "defaults.yaml").write_text(DEFAULTS)
    async with AsyncExitStack() as stack:
        langfuse = await stack.enter_async_context(LangfuseStandIn(Settings(mode="dual")))
        ragflow = await stack.enter_async_context(RagflowStandIn())
        dify = await stack.enter_async_context(DifyStandIn(prefix="/service-api"))
        langfuse.project().datasets.load(
            "capitals",
            [
                {
                    "id": f"item-{n}",
                    "input": {"question": f"Question {n}?"},
                    "expectedOutput": f"question {n}?",
                }
                for n in range(100)
            ],
        )
        flags = ["--definitions", str(definitions), "--webhook-definition", "defaults"]
        flags += ["--webhook-secrets", "LANGFUSE_WEBHOOK", "--webhook-unsigned", "--ragflow-url", ragflow.url]
        env = {**langfuse.environment(), "EVALRPC_SECRET_LANGFUSE_WEBHOOK": SECRET}
        manager = serving(directory / "data", *flags, env=env)
        server = await asyncio.to_thread(manager.__enter__)
        stack.push_async_callback(asyncio.to_thread, manager.__exit__, None, None, None)
        client = httpx.AsyncClient(base_url=f"http://{server.http}", timeout=SECONDS)
        yield Stage(server, await stack.enter_async_context(client), langfuse, ragflow, dify)


async def check_run(made: Stage, url: str) -> None:
    """Checks that a run over the 100 items is complete here and in Langfuse."""
    run = await ended(made.client, url)
    assert run["state"] == "EXPERIMENT_STATE_SUCCEEDED"
    assert run["progress"] == {"total": 100, "completed": 100}
    (summary,) = run["summaries"]
    assert (summary["name"], summary["n"], summary["mean"]) == ("echoes", 100, 1)
    assert (
        run["langfuse"]["accepted"] == 100 + 100 + 100 + 1
    )  # traces, links, scores, and the score of the run
    project = made.langfuse.project()
    (recorded,) = [each for each in project.runs.all() if each.name == run["spec"]["run_name"]]
    assert len(recorded.items) == 100
    traces = {item.trace_id for item in recorded.items}
    assert len(traces & set(project.spans.trace_ids())) == 100
    scores = Counter(score.name for score in project.scores.all() if score.trace_id in traces)
    assert scores == {"echoes": 100}


def kept(made: Stage, directory: Path) -> str:
    """Everything that the server wrote anywhere."""
    files = [path.read_bytes().decode("latin-1") for path in directory.rglob("*") if path.is_file()]
    return "\n".join([made.server.program.output, *files])


async def post(made: Stage, config: dict[str, Any]) -> str:
    """Sends a configuration as Langfuse does; returns the run's address."""
    body = body_of(config)
    answer = await made.client.post("/webhook/dataset/process-items", content=body, headers=signed(body))
    assert answer.status_code == 202
    assert answer.json()["dataset"] == "capitals"
    return str(answer.json()["url"])


async def post_by_hand(made: Stage) -> str:
    """Runs the README's command as it stands there, against this server; returns the run's address."""
    (command,) = [each.code for each in blocks_of(ROOT / "README.md") if "/webhooks/langfuse" in each.code]
    assert all(value in command for value in (made.ragflow.key, made.ragflow.chat_id))
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command.replace("localhost:8080", made.server.http), stdout=subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        said, _ = await process.communicate()
    return str(json.loads(said)["url"])


async def test_the_seed_configuration_runs_a_dataset_through_ragflow_and_through_dify(tmp_path: Path) -> None:
    async with stage(tmp_path) as made:
        urls = [
            await post(made, made.seed_config()),
            await post(made, made.seed_config() | {"bridge": "dify"}),
            await post_by_hand(made),
        ]
        assert len(set(urls)) == 3
        for url in urls:
            await check_run(made, url)
        assert Counter(made.ragflow.paths()) == {
            f"POST /api/v1/chats/{made.ragflow.chat_id}/sessions": 200,
            f"POST /api/v1/chats/{made.ragflow.chat_id}/completions": 200,
            f"DELETE /api/v1/chats/{made.ragflow.chat_id}/sessions": 200,
        }
        assert set(made.ragflow.sessions) == {"of-a-user", "of-an-agents-user"}
        assert {each.body["user"] for each in made.dify.requests} == {"langfuse-dataset-runner"}
        assert len(made.dify.requests) == 100
    found = await asyncio.to_thread(kept, made, tmp_path)
    for secret in (made.ragflow.key, made.dify.keys["chat"], SECRET):
        assert secret not in found
