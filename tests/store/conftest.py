"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.store.contract")

from tests.store.postgres_server import PostgresServer  # noqa: E402 - after what it may import is registered


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL of this test session's own."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
