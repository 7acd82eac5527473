"""The schema, as numbered steps: `NNNN_what.sql` beside this file, applied in order and never changed once released.

A step is written in SQLite's words, each statement ended by a semicolon at the end of a line; drivers translate the types.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

from msgspec import Struct

from evalrpc_server.store.connection import Connection, Driver
from evalrpc_server.store.port import StoreError

_STEP = re.compile(r"(\d{4})_\w+\.sql")


class Step(Struct, frozen=True):
    """One step of the schema: the version that it leads to and its statements."""

    version: int
    statements: Sequence[str]


@cache
def all_steps() -> Sequence[Step]:
    """Returns the steps of this release in order."""
    found = [
        Step(int(match[1]), _statements(file.read_text(encoding="utf-8")))
        for file in resources.files(__package__).iterdir()
        if (match := _STEP.fullmatch(file.name))
    ]
    return sorted(found, key=lambda step: step.version)


def migrate(connection: Connection, driver: Driver, steps: Sequence[Step]) -> None:
    """Brings the schema up to date, in one transaction.

    Raises:
        StoreError: a newer release has written this store, or a step failed; the schema is as it was.
    """
    connection.begin()
    try:
        connection.execute(
            driver.translate_schema("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        )
        rows = connection.query("SELECT version FROM schema_version")
        current, newest = int(rows[0][0]) if rows else 0, steps[-1].version
        if current > newest:
            raise StoreError(
                f"the store has schema version {current} and this release knows {newest}: use a newer release"
            )
        for step in steps:
            if step.version > current:
                for statement in step.statements:
                    connection.execute(driver.translate_schema(statement))
        if current < newest:
            connection.execute("DELETE FROM schema_version")
            connection.execute("INSERT INTO schema_version (version) VALUES (?)", (newest,))
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _statements(script: str) -> Sequence[str]:
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("--"))
    statements = "\n".join(lines).split(";\n")
    return [statement.strip().removesuffix(";") for statement in statements if statement.strip()]
