"""SQLite: the contract, and what only an embedded database has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.backends import SqliteBackend
from tests.store.contract import StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> SqliteBackend:
        return SqliteBackend(tmp_path)
