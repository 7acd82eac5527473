"""What tests of the way out share: a real server beside a stand-in, and what the stand-in holds afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from evalrpc.v1 import experiment_pb2, experiment_service_pb2
from tests.langfuse.capitals import Capitals
from tests.processes import Program
from tests.servers import Stubs, serving
from tests.service.calls import SECONDS, run
from tests.standins.langfuse import LangfuseStandIn


class Recording:
    """A running server: its services and its process."""

    def __init__(self, stubs: Stubs, program: Program) -> None:
        self.stubs = stubs
        self.program = program

    async def get(self, experiment_id: str) -> experiment_pb2.Experiment:
        """Returns an experiment as it is now."""
        request = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
        return (await self.stubs.experiments.GetExperiment(request, timeout=SECONDS)).experiment

    async def delivered(self, experiment_id: str, *, seconds: float = 60) -> Any:
        """Waits until Langfuse has answered for everything, and returns the status."""
        async with asyncio.timeout(seconds):
            # Only the server knows, and it tells when asked.
            while (status := (await self.get(experiment_id)).langfuse).queued:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return status


@asynccontextmanager
async def recording(
    data_dir: Path,
    langfuse: LangfuseStandIn | None,
    *flags: str,
    env: Mapping[str, str] | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncIterator[Recording]:
    """Runs a server whose default project is the stand-in's first, with these settings of the project."""
    configured: dict[str, str] = {}
    if langfuse and settings:
        keys = langfuse.project().keys
        access = {"base_url": langfuse.url, "public_key": keys.public_key, "secret_key": keys.secret_key}
        file = data_dir / "projects.json"
        file.write_text(json.dumps({"projects": {"default": access | dict(settings)}}))
        flags = (*flags, "--langfuse-projects", str(file))
    elif langfuse:
        configured = dict(langfuse.environment())
    manager = serving(data_dir, *flags, env=configured | dict(env or {}))
    server = await asyncio.to_thread(manager.__enter__)
    try:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            yield Recording(Stubs(channel), server.program)
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def observe(
    langfuse: LangfuseStandIn, app: Capitals, source: str, data_dir: Path, **fields: Any
) -> Any:
    """Runs the experiment of `capitals` until all is delivered and returns its last event's experiment."""
    async with recording(data_dir, langfuse) as server:
        events = await run(server.stubs, app.spec(source, **fields))
        return events[-1].experiment
