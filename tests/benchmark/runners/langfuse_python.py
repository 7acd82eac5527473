"""The Langfuse Python SDK."""

from __future__ import annotations

from tests.benchmark import peers
from tests.benchmark.runners.base import Runner


class LangfusePython(Runner):
    """`run_experiment`, tracing to the sink."""

    name = "langfuse-python"
    spans_per_item = 5

    def prepare(self) -> None:
        """Installs the SDK."""
        peers.python()

    def driver(self) -> list[str]:
        """The peers' interpreter."""
        return [str(peers.python()), "-m", "tests.benchmark.drivers.langfuse_python"]
