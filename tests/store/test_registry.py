"""Choosing a store by URL."""

from __future__ import annotations

import pytest

from evalrpc_server.store.port import StoreError
from evalrpc_server.store.registry import open_store


@pytest.mark.parametrize("url", ["sqlite://relative.db", "sqlite:///", "sqlite://", "sqlite:///folder/"])
def test_an_sqlite_url_names_a_file_by_its_absolute_path(url: str):
    with pytest.raises(StoreError, match="absolute path"):
        open_store(url)


def test_an_unknown_scheme_is_refused_with_those_that_there_are():
    with pytest.raises(StoreError, match="no store for mysql://; there are sqlite, postgres, postgresql"):
        open_store("mysql://user@host/db")
