"""A Langfuse stand-in and an application for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.langfuse.capitals import Capitals, capitals
from tests.standins.langfuse import LangfuseStandIn, Settings


@pytest.fixture
async def standin(request: pytest.FixtureRequest) -> AsyncIterator[LangfuseStandIn]:
    """A running stand-in; ``parametrize("standin", [Settings(...)], indirect=True)`` chooses another."""
    async with LangfuseStandIn(getattr(request, "param", Settings())) as made:
        yield made


@pytest.fixture
async def app() -> AsyncIterator[Capitals]:
    """The application about capitals."""
    async with capitals() as made:
        yield made
