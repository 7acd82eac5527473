"""Builtins that look at SQL, with sqlglot. They parse; they never run a statement."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from evalrpc_server.evaluators.builtin.params import Comparing, Negatable, OfOutput, Params
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, unfenced
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Scored, Unscored, Verdict, WrongOutput

MAX_CHARACTERS = 20_000
"""The longest SQL that is parsed; it takes about a second."""


def _check_dialect(name: str) -> str:
    # Validated by hand, so that the catalogue is the same whether sqlglot is installed or not.
    known = _dialects()
    if known and name and name not in known:
        raise ValueError(f"is no dialect that sqlglot knows; it knows: {', '.join(sorted(known))}")
    return name


class SqlParams(Params):
    """Parameters that the SQL builtins share."""

    dialect: Annotated[str, AfterValidator(_check_dialect)] = Field(
        default="",
        max_length=50,
        description="The dialect by sqlglot's name, such as postgres, mysql, sqlite, bigquery; default: its own, lenient one.",
    )


class SqlValidParams(OfOutput, Negatable, SqlParams):
    """Parameters of `sql_valid`."""


@item_builtin(SqlValidParams, gives=Gives.BOOLEAN, extra="sql")
def sql_valid(params: SqlValidParams, subject: Subject) -> Verdict:
    """Whether the output is SQL that parses: one or more statements, also in a Markdown code fence.

    It says nothing of whether tables and columns exist. The SQL may have 20,000 characters.
    """
    output = subject.output(params.output_path)
    if not isinstance(output, str):
        raise WrongOutput(f"the output is {kind_of(output)}, not SQL text")
    try:
        statements = _parse(output, params.dialect)
    except ValueError as error:
        return Scored(value=False, comment=str(error))
    return bool(statements) or Scored(value=False, comment="holds no statement")


class SqlEqualParams(Comparing, Negatable, SqlParams):
    """Parameters of `sql_equal`."""


@item_builtin(SqlEqualParams, gives=Gives.BOOLEAN, extra="sql")
def sql_equal(params: SqlEqualParams, subject: Subject) -> Verdict:
    """Whether the output is the same SQL as expected_output but for spelling.

    White space, comments, the case of keywords and of unquoted names, and optional words do not matter. It does not claim
    to know whether two different queries mean the same. An output that does not parse is wrong; an expected_output that
    does not leaves the item unscored. The SQL may have 20,000 characters.
    """
    expected = subject.expected(params.expected_path)
    if not isinstance(expected, str):
        raise Unscored(f"expected_output is {kind_of(expected)}, not SQL text")
    try:
        wanted = _normal(expected, params.dialect)
    except ValueError as error:
        raise Unscored(f"expected_output {error}") from None
    output = subject.output(params.output_path)
    if not isinstance(output, str):
        raise WrongOutput(f"the output is {kind_of(output)}, not SQL text")
    try:
        return _normal(output, params.dialect) == wanted
    except ValueError as error:
        raise WrongOutput(f"the output {error}") from None


def _normal(text: str, dialect: str) -> list[str]:
    from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

    return [
        normalize_identifiers(statement, dialect=dialect or None).sql(dialect=dialect or None, comments=False)
        for statement in _parse(text, dialect)
    ]


def _parse(text: str, dialect: str) -> list[Any]:
    import sqlglot
    from sqlglot.errors import SqlglotError

    if len(text) > MAX_CHARACTERS:
        raise CannotJudge(f"SQL of {len(text)} characters is too long; {MAX_CHARACTERS} are allowed")
    try:
        parsed = sqlglot.parse(unfenced(text), dialect=dialect or None)
    except SqlglotError as error:
        details = getattr(error, "errors", [])
        first = details[0] if details else {}
        place = f" at line {first['line']}, column {first['col']}" if first.get("line") else ""
        raise ValueError(
            f"is not SQL that parses: {first.get('description') or 'unreadable token'}{place}"
        ) from None
    return [statement for statement in parsed if statement is not None]


@cache
def _dialects() -> frozenset[str]:
    try:
        from sqlglot.dialects.dialect import Dialect
    except ImportError:
        return frozenset()
    return frozenset(name for name in Dialect.classes if name)
