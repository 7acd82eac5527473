"""PostgreSQL: the contract, and what only a database behind a connection has."""

from __future__ import annotations

import uuid

import pytest

from tests.store.backends import PostgresBackend
from tests.store.contract import StoreContract
from tests.store.postgres_server import PostgresServer


class TestPostgres(StoreContract):
    @pytest.fixture
    def backend(self, postgres: PostgresServer) -> PostgresBackend:
        return PostgresBackend(postgres, f"t_{uuid.uuid4().hex}")
