"""The specs of server/docs/targets-llm.md, run as they stand there, with stand-ins in the places of the vendors."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import reduce
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.processes import ROOT
from tests.servers import Server, Stubs, serving
from tests.service.calls import results, run
from tests.standins.dify import DifyStandIn
from tests.standins.openai import OpenAiStandIn
from tests.standins.ragflow import RagflowStandIn

PAGE = (ROOT / "server/docs/targets-llm.md").read_text("utf-8")
QUESTION = "What is the capital of France?"
ANSWERS = {QUESTION: "Paris", "What is the capital?": "Paris", "Paris is the capital of France.": "Paris"}


KEYS = {
    "OPENAI": OpenAiStandIn().key,
    "DIFY": DifyStandIn().keys["chat"],
    "DIFY_WORKFLOW": DifyStandIn().keys["workflow"],
    "RAGFLOW": RagflowStandIn().key,
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[Server]:
    env = {f"EVALRPC_SECRET_{name}": value for name, value in KEYS.items()}
    with serving(data_dir, env=env) as running:
        yield running


@pytest.fixture
async def places() -> AsyncIterator[dict[str, str]]:
    """Maps the page's addresses to those of the stand-ins."""
    async with AsyncExitStack() as stack:
        openai = await stack.enter_async_context(OpenAiStandIn(models={"gpt-5-mini"}, answers=ANSWERS))
        dify = await stack.enter_async_context(DifyStandIn(prefix="/service-api", answers=ANSWERS))
        ragflow = await stack.enter_async_context(RagflowStandIn(generation="0.21", answers=ANSWERS))
        yield {
            "https://api.openai.com": openai.url,
            "http://dify.internal:2801": dify.url,
            "http://ragflow.internal:9380": ragflow.url,
        }


def examples(places: dict[str, str]) -> Iterator[dict[str, Any]]:
    for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        yield json.loads(reduce(lambda text, place: text.replace(*place), places.items(), block))[
            "experiment"
        ]


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_the_examples_run_as_written(server: Server, places: dict[str, str]) -> None:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stubs = Stubs(channel)
        runs = {experiment["name"]: results(await run(stubs, experiment)) for experiment in examples(places)}
    assert len(runs) == 5
    for (result,) in runs.values():
        assert not result.HasField("error"), result.error
        assert result.output.value.string_value == "Paris"
        assert [evaluation.boolean for evaluation in result.evaluations] in ([], [True])
    (by_ragflow,) = runs["capitals by RAGFlow"]
    assert by_ragflow.contexts[0].source == "cities.pdf"
    (by_dify,) = runs["capitals by Dify"]
    assert by_dify.usage.cost_usd == pytest.approx(0.0001)


async def test_a_key_that_is_written_out_works_and_is_found_nowhere(
    server: Server, data_dir: Path, places: dict[str, str]
) -> None:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        for experiment in examples(places):
            (task,) = experiment["task"].values()
            task["api_key"] = KEYS[task["api_key"].removeprefix("${secret:").removesuffix("}")]
            events = await run(Stubs(channel), experiment)
            (result,) = results(events)
            assert result.output.value.string_value == "Paris"
            assert not any(key in str(events) for key in KEYS.values())
    stored = everything_in(data_dir)
    assert b"capitals by RAGFlow" in stored
    assert not any(key.encode() in stored for key in KEYS.values())
    assert not any(key in server.program.output for key in KEYS.values())


def test_the_page_names_every_field_of_its_tasks() -> None:
    text = Path(ROOT / "proto/evalrpc/v1/llm_task.proto").read_text("utf-8")
    fields = set(re.findall(r"^  [\w.<>, ]+ (\w+) = \d+;", text, re.MULTILINE))
    known = {"role", "content", "headers", "user_id"}  # plain, and described in the contract
    assert {field for field in fields - known if field not in PAGE} == set()
