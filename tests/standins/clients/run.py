"""Lets Langfuse's SDKs run an experiment against a stand-in, and read a project back, as a test does it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from typing import Any, Literal

from tests.standins.clients import environments
from tests.standins.langfuse import LangfuseStandIn

SECONDS = 60
JAVASCRIPT = f"javascript-{environments.JAVASCRIPT_VERSION}"
PYTHON = tuple(f"python-{version}" for version in environments.PYTHON_VERSIONS)
CLIENTS = (*PYTHON, JAVASCRIPT)

DATASET = "Capitals/der Welt"
RUN_NAME = "capitals run"
ITEMS: list[dict[str, Any]] = [
    {
        "id": "item-france",
        "input": "What is the capital of France?",
        "expectedOutput": "Paris",
        "metadata": {"continent": "Europe", "size": 2},
    },
    {
        "id": "item-japan",
        "input": {"question": "What is the capital of Japan?"},
        "expectedOutput": {"answer": "Tokyo"},
    },
    {
        "id": "item-atlantis",
        "input": "What is the capital of Atlantis?",
        "expectedOutput": "Poseidonis",
        "metadata": {"myth": True},
    },
]


async def experiment(client: str, standin: LangfuseStandIn, source: Literal["local", "hosted"]) -> Any:
    """Run the experiment with `client`; returns what the SDK made of it.

    ``hosted`` needs the dataset `DATASET` with `ITEMS`, see `load_dataset`.
    """
    return await _run(_command(client, "experiment"), [source, DATASET], standin.environment())


async def read_back(client: str, standin: LangfuseStandIn, *arguments: str) -> Any:
    """Read the first project with `client`: ``v4``, or ``legacy`` with a dataset's and a run's name."""
    return await _run(_command(client, "read_back"), arguments, standin.environment())


def load_dataset(standin: LangfuseStandIn) -> None:
    """Put the experiment's items into a hosted dataset."""
    standin.project().datasets.load(DATASET, ITEMS)


def _command(client: str, name: str) -> list[str]:
    language, _, version = client.partition("-")
    if language == "javascript":
        return environments.javascript(f"{name}.mjs")
    return [*environments.python(version), str(environments.HERE / f"python_{name}.py")]


async def _run(command: list[str], arguments: tuple[str, ...] | list[str], env: Mapping[str, str]) -> Any:
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise AssertionError(f"{command} failed:\n{errors.decode()}\n{output.decode()}")
    return json.loads(output.decode().strip().splitlines()[-1])
