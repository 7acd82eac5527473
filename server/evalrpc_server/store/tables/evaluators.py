"""Registered evaluators and their versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from evalrpc_server.domain.registered import RegisteredEvaluator
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.store import codec
from evalrpc_server.store.connection import Connection, Row, Scalar
from evalrpc_server.store.port import PAGE_CHARACTERS, EvaluatorPage, InvalidCursorError
from evalrpc_server.store.tables.paging import fitting

_SELECT = "SELECT e.name, e.version, e.description, e.create_time, e.spec FROM evaluators e"
_NEWEST = "e.version = (SELECT max(n.version) FROM evaluators n WHERE n.name = e.name)"


def register(
    connection: Connection, evaluators: Sequence[RegisteredEvaluator]
) -> Sequence[RegisteredEvaluator]:
    """Stores evaluators as the next versions of their names; see `EvaluatorStore.register_evaluator`."""
    return [_register(connection, evaluator) for evaluator in evaluators]


def _register(connection: Connection, evaluator: RegisteredEvaluator) -> RegisteredEvaluator:
    newest = get(connection, evaluator.name, None)
    if newest and newest.spec == evaluator.spec:
        return newest
    connection.execute(
        "INSERT INTO evaluator_names (name, last_version) VALUES (?, 1)"
        " ON CONFLICT (name) DO UPDATE SET last_version = evaluator_names.last_version + 1",
        (evaluator.name,),
    )
    connection.execute(
        "INSERT INTO evaluators (name, version, description, create_time, spec)"
        " SELECT name, last_version, ?, ?, ? FROM evaluator_names WHERE name = ?",
        (
            evaluator.description,
            evaluator.create_time.isoformat(),
            codec.encode_model(evaluator.spec),
            evaluator.name,
        ),
    )
    return _evaluator(connection.query(f"{_SELECT} WHERE e.name = ? AND {_NEWEST}", (evaluator.name,))[0])


def get(connection: Connection, name: str, version: int | None) -> RegisteredEvaluator | None:
    """Returns a version, by default the newest, or None."""
    if version is None:
        rows = connection.query(f"{_SELECT} WHERE e.name = ? AND {_NEWEST}", (name,))
    else:
        rows = connection.query(f"{_SELECT} WHERE e.name = ? AND e.version = ?", (name, version))
    return _evaluator(rows[0]) if rows else None


def list_page(connection: Connection, *, limit: int, cursor: str, name: str) -> EvaluatorPage:
    """Returns a page of the newest versions by name, or of all versions of one name."""
    after_name, before_version = _parse(cursor)
    parameters: list[Scalar]
    condition, parameters, order = f"e.name > ? AND {_NEWEST}", [after_name], "e.name"
    if name:
        condition, parameters, order = (
            "e.name = ? AND e.version < ?",
            [name, before_version],
            "e.version DESC",
        )
    with connection.snapshot():
        measured = connection.query(
            "SELECT e.name, e.version, length(e.spec) FROM evaluators e"
            f" WHERE {condition} ORDER BY {order} LIMIT ?",
            (*parameters, limit + 1),
        )
        count = min(fitting(measured, PAGE_CHARACTERS), limit)
        rows = connection.query(f"{_SELECT} WHERE {condition} ORDER BY {order} LIMIT ?", (*parameters, count))
    more = 0 < count < len(measured)
    return EvaluatorPage(
        evaluators=[_evaluator(row) for row in rows],
        next_cursor=json.dumps(measured[count - 1][:2]) if more else "",
    )


def delete(connection: Connection, wanted: Sequence[tuple[str, int | None]]) -> Sequence[int]:
    """Deletes versions, or all of a name where the version is None, and returns how many of each."""
    return [
        connection.execute("DELETE FROM evaluators WHERE name = ?", (name,))
        if version is None
        else connection.execute("DELETE FROM evaluators WHERE name = ? AND version = ?", (name, version))
        for name, version in wanted
    ]


def _parse(cursor: str) -> tuple[str, int]:
    if not cursor:
        return "", 2**63 - 1
    try:
        name, version = json.loads(cursor)
    except (ValueError, TypeError, RecursionError):
        raise InvalidCursorError(cursor[:100]) from None
    if not isinstance(name, str) or not isinstance(version, int) or not 0 <= version < 2**63:
        raise InvalidCursorError(cursor[:100])
    return name, version


def _evaluator(row: Row) -> RegisteredEvaluator:
    name, version, description, create_time, spec = row
    return RegisteredEvaluator(
        name=name,
        version=version,
        description=description,
        create_time=datetime.fromisoformat(create_time),
        spec=codec.decode_model(EvaluatorSpec, spec),
    )
