"""A server process, a task endpoint, and a caller for the tests of the service as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from tests.servers import Server, Stubs, serving
from tests.standins.endpoints import Endpoints


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a file."""
    with serving(tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    """Endpoints as users write them, in the test's own loop."""
    async with Endpoints() as made:
        yield made


@pytest.fixture
async def stubs(server: Server) -> AsyncIterator[Stubs]:
    """The services of the server."""
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        yield Stubs(channel)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory for a server of the test's own."""
    return tmp_path / "data"
