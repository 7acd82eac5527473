"""What every test gets: an environment that configures nothing, so that the tests mean the same everywhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.store.postgres_server import PostgresServer

CONFIGURING = ("EVALRPC_", "LANGFUSE_", "OTEL_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy")

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("fixed")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """Hides the caller's settings from the tests and from every process that they start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(CONFIGURING) or name.lower() in PROXIES:
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Lets Ctrl-C reach the processes that tests start, also where the tests themselves run in the background.

    A shell has its background jobs ignore SIGINT, and what is ignored is ignored by their children too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL of this test session's own."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
