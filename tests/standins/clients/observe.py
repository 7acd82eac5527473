"""What each of Langfuse's SDKs writes for the same experiment, captured as data.

``python -m tests.standins.clients.observe`` writes ``tests/standins/langfuse/observed/<client>.json`` anew; a test
holds the files against the SDKs.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

from tests.standins.clients import run
from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse.records import normalise
from tests.standins.langfuse.settings import Mode

OBSERVED = Path(__file__).resolve().parents[1] / "langfuse" / "observed"
SOURCES: tuple[Literal["local", "hosted"], ...] = ("local", "hosted")


def native_mode(client: str) -> Mode:
    """The server generation that a client was made for."""
    return "events_only" if client.startswith("python-5") else "dual"


async def observe(client: str, source: Literal["local", "hosted"]) -> dict[str, Any]:
    """The comparable records of one run."""
    async with LangfuseStandIn(Settings(mode=native_mode(client))) as standin:
        run.load_dataset(standin)
        await run.experiment(client, standin, source)
        return normalise(standin)


def observed(client: str) -> dict[str, Any]:
    """The captured records of a client, by source of the items."""
    document: dict[str, Any] = json.loads((OBSERVED / f"{client}.json").read_text("utf-8"))
    return document


async def main() -> None:
    """Capture all clients."""
    OBSERVED.mkdir(exist_ok=True)
    for client in run.CLIENTS:
        document = {source: await observe(client, source) for source in SOURCES}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (OBSERVED / f"{client}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    asyncio.run(main())
