"""The bare aiohttp loop."""

from __future__ import annotations

import sys

from tests.benchmark.runners.base import Runner


class Bare(Runner):
    """The limit: the same calls and evaluators, and nothing else."""

    name = "bare"

    def records_to_langfuse(self, *, hosted: bool) -> bool:
        """It records nothing."""
        return False

    def driver(self) -> list[str]:
        """This project's interpreter."""
        return [sys.executable, "-m", "tests.benchmark.drivers.bare"]
