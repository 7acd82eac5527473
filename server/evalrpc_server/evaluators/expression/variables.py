"""What an expression can name: an item, its output, and what the task used, as CEL values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.port import Case

NAMES = (
    "input",
    "output",
    "expected_output",
    "metadata",
    "contexts",
    "usage",
    "latency",
    "evaluations",
)
"""The variables, in the order of the documentation."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USAGE = ("input_tokens", "output_tokens", "cost_usd")
_Found = tuple[JsonValue, str]
"""A variable's value, and why there is none; empty where there is one."""


class UnreadableError(Exception):
    """A document cannot be given to an expression. The message is for people."""


@lru_cache(maxsize=256)
def named(expression: str) -> frozenset[str]:
    """Returns the names that stand in an expression, those in its strings included."""
    return frozenset(_NAME.findall(expression))


def variables(expression: str, case: Case) -> tuple[Mapping[str, JsonValue], list[str]]:
    """Returns the variables that an expression names, and why some of them have no value.

    Numbers in documents are doubles, as CEL has those of JSON; counts of tokens are whole numbers.

    Raises:
        UnreadableError: a document is nested too deep.
    """
    names = named(expression)
    found = {name: read(case, names) for name, read in _READERS.items() if name in names}
    return {name: value for name, (value, _) in found.items()}, [why for _, why in found.values() if why]


def _document(document: Document | None, name: str) -> _Found:
    if document is None:
        return None, f"the item has no {name}"
    try:
        return json.loads(document, parse_int=float), ""
    except RecursionError:
        raise UnreadableError(f"{name} is nested too deep to be read") from None


def _contexts(case: Case, _names: frozenset[str]) -> _Found:
    values = [
        {"text": each.text, "id": each.id, "source": each.source, "score": each.score}
        for each in case.contexts
    ]
    return values, "" if values else "the task gave no contexts"


def _usage(case: Case, names: frozenset[str]) -> _Found:
    usage = case.usage or Usage()
    values: dict[str, JsonValue] = {name: getattr(usage, name) for name in _USAGE} | {"model": usage.model}
    unknown = [f"usage.{name}" for name in _USAGE if name in names and values[name] is None]
    return values, f"the task did not say {' and '.join(unknown)}" if unknown else ""


def _evaluations(case: Case, _names: frozenset[str]) -> _Found:
    return {each.name: each.value for each in case.evaluations}, ""


_READERS: Mapping[str, Callable[[Case, frozenset[str]], _Found]] = {
    "input": lambda case, _: _document(case.item.input, "input"),
    "output": lambda case, _: _document(case.output, "output"),
    "expected_output": lambda case, _: _document(case.item.expected_output, "expected_output"),
    "metadata": lambda case, _: _document(case.item.metadata, "metadata"),
    "contexts": _contexts,
    "usage": _usage,
    "latency": lambda case, _: (case.duration, ""),
    "evaluations": _evaluations,
}
