"""What tests of hosted datasets share: items, a clock that does not wait, and a way to one project of a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.projects import Project
from evalrpc_server.outbound.outbound import Outbound
from tests.standins.langfuse import LangfuseStandIn

ODD_NAME = "geo/städte & länder/首都 50%?#+"
"""A name with everything that a path or a query must escape."""


class HastyClock(SystemClock):
    """A clock whose sleeps take no time, and count as if they had."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)


def items(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Returns items as the stand-in loads them, oldest first."""
    return [
        {
            "id": f"item-{number}",
            "input": {"n": number},
            "expectedOutput": number * 2,
            "metadata": {"even": number % 2 == 0, "third": number % 3, "tags": ["a", {"b": 1}]},
        }
        for number in range(first, first + count)
    ]


@asynccontextmanager
async def api_of(
    langfuse: LangfuseStandIn, clock: SystemClock | None = None, **fields: Any
) -> AsyncIterator[LangfuseApi]:
    """Opens the way to the stand-in's first project."""
    keys = langfuse.project().keys
    project = Project(
        **(
            {
                "name": "default",
                "base_url": langfuse.url,
                "public_key": keys.public_key,
                "secret_key": keys.secret_key,
            }
            | fields
        )
    )
    outbound = Outbound()
    try:
        yield LangfuseApi(project, outbound.http, outbound.secrets, clock=clock or HastyClock())
    finally:
        await outbound.aclose()
