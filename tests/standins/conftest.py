"""A Langfuse stand-in for a test, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.standins.langfuse import LangfuseStandIn, Settings
from tests.standins.langfuse_api import Api


@pytest.fixture
async def langfuse(request: pytest.FixtureRequest) -> AsyncIterator[LangfuseStandIn]:
    """A running stand-in; ``parametrize("langfuse", [Settings(...)], indirect=True)`` chooses another."""
    async with LangfuseStandIn(getattr(request, "param", Settings())) as standin:
        yield standin


@pytest.fixture
async def api(langfuse: LangfuseStandIn) -> AsyncIterator[Api]:
    """A client of the first project."""
    async with Api(langfuse) as client:
        yield client
