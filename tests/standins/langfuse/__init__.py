"""A Langfuse server for tests: in memory, strict where the real one is strict, with faults by switch.

In a test::

    async with LangfuseStandIn(Settings(mode="events_only")) as langfuse:
        ...  # langfuse.url, langfuse.project().public_key, langfuse.faults, langfuse.stats()

As a process: ``python -m tests.standins.langfuse --port 0 --mode dual``.
"""

from __future__ import annotations

from tests.standins.langfuse.app import LangfuseStandIn
from tests.standins.langfuse.clock import Clock
from tests.standins.langfuse.faults import Fault
from tests.standins.langfuse.settings import ProjectKeys, Settings

__all__ = ["Clock", "Fault", "LangfuseStandIn", "ProjectKeys", "Settings"]
