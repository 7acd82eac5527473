"""The Langfuse JS SDK."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmark import drivers, peers
from tests.benchmark.runners.base import Runner

_SCRIPT = "langfuse_js.mjs"


class LangfuseJs(Runner):
    """`experiment.run` of @langfuse/client, tracing to the sink."""

    name = "langfuse-js"

    def prepare(self) -> None:
        """Installs the SDK, and the driver beside it, where Node looks for packages."""
        shutil.copy(Path(drivers.__path__[0]) / _SCRIPT, peers.node())

    def driver(self) -> list[str]:
        """Node with the copied driver."""
        return ["node", str(peers.node() / _SCRIPT)]
