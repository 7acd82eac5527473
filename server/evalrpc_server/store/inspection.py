"""What a store is like, found out without changing it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from evalrpc_server.store.connection import Survey
from evalrpc_server.store.migrations import all_steps
from evalrpc_server.store.registry import open_driver


class StoreReport(Struct, frozen=True, kw_only=True):
    """A store as it is.

    Attributes:
        survey: of its database.
        schema: version of its schema; 0 where there is none yet.
        newest_schema: the version that this release brings it to.
    """

    survey: Survey
    schema: int
    newest_schema: int


def inspect_store(where: str | Path) -> StoreReport:
    """Looks at the store that a URL or a data directory names. Blocks.

    Raises:
        StoreError: it cannot be used.
    """
    driver = open_driver(where)
    survey = driver.survey()
    schema = 0
    if survey.exists:
        reader = driver.connect_reader()
        try:
            rows = reader.query("SELECT version FROM schema_version")
            schema = int(rows[0][0]) if rows else 0
        finally:
            reader.close()
    return StoreReport(survey=survey, schema=schema, newest_schema=all_steps()[-1].version)
