"""CEL, the Common Expression Language (cel.dev), as Google's own C++ implementation has it.

Its engine gives an expression 10,000 steps of iteration, matches patterns in linear time (RE2), and refuses expressions
that nest deeper than 32. What a step may cost is bounded by the process that `limits` prepares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from cel_expr_python import cel

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.expression.variables import NAMES

_TYPES = {
    "contexts": cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN)),
    "usage": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "evaluations": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "latency": cel.Type.DOUBLE,
}
_VALUES = frozenset({"BOOL", "INT", "UINT", "DOUBLE", "STRING", "NULL", "DYN"})
_PROBLEM = re.compile(r"<input>:(-?\d+):(-?\d+): ([^\n]*)")
_MAX_MESSAGE = 300


class ExpressionError(Exception):
    """An expression cannot be compiled, or has no value for a case. The message is for people."""


def check_expression(expression: str) -> str:
    """Returns what is wrong with an expression, to follow its name in a sentence; empty if it can be used."""
    try:
        kind = _compiled(expression).return_type().name()
    except ExpressionError as error:
        return str(error)
    if kind not in _VALUES:
        return f"gives a value of the type {kind}; it must give a number, a boolean, a string or null"
    return ""


def evaluate(expression: str, values: Mapping[str, JsonValue]) -> float | bool | str | None:
    """Returns the value of an expression.

    Raises:
        ExpressionError: it has none, or one that is no number, boolean, string or null.
    """
    try:
        result = _compiled(expression).eval(data=values)
    except RuntimeError as error:
        raise ExpressionError(_explained(str(error))) from None
    kind, value = result.type().name(), result.value()
    if kind == "ERROR":
        raise ExpressionError(_explained(str(value)))
    if kind not in _VALUES:
        raise ExpressionError(f"it gave a {kind}, which is no number, boolean, string or null")
    if value is None or isinstance(value, bool | str):
        return value
    return float(value)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(variables={name: _TYPES.get(name, cel.Type.DYN) for name in NAMES})


@lru_cache(maxsize=256)
def _compiled(expression: str) -> cel.Expression:
    try:
        return _environment().compile(expression)
    except RuntimeError as error:
        raise ExpressionError(_diagnosis(str(error))) from None


def _diagnosis(text: str) -> str:
    """Returns the compiler's first complaint, with its place."""
    found = _PROBLEM.search(text)
    if found is None or found[1].startswith("-") or "recursion" in text:
        return "is nested too deep: CEL takes 32 levels, and a chain of + counts one for each"
    line, column, problem = found.groups()
    place = f"at character {column}" + (f" of line {line}" if line != "1" else "")
    problem = problem.replace(" (in container '')", "")[:_MAX_MESSAGE]
    return f"is not a CEL expression that can be evaluated: {place}, {problem}{_advice(problem)}"


def _explained(text: str) -> str:
    if "Iteration budget" in text:
        return "it takes more than the 10,000 steps of iteration that an expression has"
    _, colon, problem = text.partition(": ")
    problem = (problem if colon else text).removesuffix(" [INTERNAL]")[:_MAX_MESSAGE]
    return f"{problem}{_advice(problem)}"


def _advice(problem: str) -> str:
    if "undeclared reference" in problem:
        return f"; the variables are {', '.join(NAMES)}"
    if "double" in problem and "int" in problem:
        return "; numbers in documents are doubles: write 1.0 for 1, or int(x)"
    return ""
