"""A real server, an application for it to call, and both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from evalrpc import Client
from tests.clients.python.application import Application, application
from tests.clients.python.blocking import Blocking
from tests.clients.python.scripted import Scripted, scripted
from tests.servers import Server, serving

Connect = Callable[..., Any]
"""Takes what a client's constructor takes and returns a client, a `Client` or what stands in for one."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a file."""
    with serving(tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
def app() -> Iterator[Application]:
    """An application under test."""
    with application() as made:
        yield made


@pytest.fixture
def script() -> Iterator[Scripted]:
    """A server that does as it is told."""
    with scripted() as made:
        yield made


@pytest.fixture(params=[Client, Blocking], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients of either kind, which are closed in the end."""
    with ExitStack() as stack:

        def make(*args: Any, **settings: Any) -> Any:
            return stack.enter_context(request.param(*args, **settings))

        yield make


@pytest.fixture
def client(connect: Connect, server: Server) -> Any:
    """A client of either kind, connected to the server."""
    return connect(server.grpc)
