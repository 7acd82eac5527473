"""Writes the documentation of the builtins from their catalogue: `python -m evalrpc_server.evaluators.documentation`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from evalrpc_server.evaluators.builtin.params import Comparing, Model, Negatable, Params, TextOptions
from evalrpc_server.evaluators.builtin.samples import ColumnParams
from evalrpc_server.evaluators.builtin.table import BUILTINS, FAMILIES
from evalrpc_server.evaluators.catalog import BuiltinDescription, Gives, Level, list_builtins, params_schema

_HEAD = """\
# Builtin evaluators

This page is written by `make docs` from the catalogue that `EvaluatorService/ListBuiltinEvaluators` returns.

An evaluator is used by name, with its parameters:

```json
{"name": "accuracy", "builtin": {"name": "contains", "params": {"ignore_case": true}}}
```

Builtins that judge items stand under `evaluators` (or as `composite_evaluator`), those that judge runs under
`run_evaluators`. Parameters are checked before a run is accepted, all at once. What no builtin says may be a
[CEL expression](expressions.md), the verdict of a [language model](judges.md), or an endpoint of your own.

## What they have in common

- **Nothing to judge by is unscored.** Without an `expected_output`, or with one of the wrong kind, an evaluation has a
  reason instead of a value. It is never 0 and never an error.
- **An output of the wrong kind is a wrong output.** A text where a number is due, or no value at `output_path`, is
  false, or the score 0, with a comment; whatever `negate` says. Measures such as `length` are unscored then.
- **What cannot be judged in bounded time is an error**, which says what the bound is. An error is never a 0.
- **Texts** are compared as Unicode in normal form NFC, so that é equals é however it is encoded. Where a builtin looks at
  text, an output that is not text stands as compact JSON.
- **JSON values** are compared by value: the order of keys does not matter, 3 equals 3.0, and values of different kinds
  differ.
- **`output_path` and `expected_path`** are JSON pointers (RFC 6901) into the two documents: `/answer`, `/items/0`.
- **The version** in `builtin/contains@1`, which every evaluation carries, is raised when the same output would be judged
  otherwise than before.
"""

SHARED = (TextOptions, Negatable, Comparing, Model, ColumnParams)
"""The groups of parameters that several builtins share."""

_LEVELS = {Level.ITEM: "Item level", Level.RUN: "Run level"}
_VALUES = {
    Gives.BOOLEAN: "true or false",
    Gives.SCORE: "a number from 0 to 1",
    Gives.NUMBER: "a number",
    Gives.LABEL: "a label",
}


def document() -> str:
    """Returns the page, in Markdown."""
    return "\n".join([_HEAD, *_contents(), *_sections()]).rstrip() + "\n"


def _contents() -> Iterator[str]:
    yield "## All builtins\n"
    yield "| name | level | value | what it says |"
    yield "|---|---|---|---|"
    for builtin in list_builtins():
        summary = builtin.description.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        link = f"[`{builtin.name}`](#{builtin.name})"
        yield f"| {link} | {builtin.level} | {_VALUES[builtin.gives]} | {summary} |"
    yield ""


def _sections() -> Iterator[str]:
    yield "## Shared parameters\n"
    yield from _table({name: row for model in SHARED for name, row in _rows(model).items()})
    described = {builtin.name: builtin for builtin in list_builtins()}
    for level, title in _LEVELS.items():
        yield f"## {title}\n"
        for family in FAMILIES:
            for builtin in BUILTINS.values():
                made_by = builtin.judge or builtin.fold or builtin.open
                if builtin.level is level and made_by is not None and made_by.__module__ == family.__name__:
                    yield from _section(described[builtin.name])


def _section(builtin: BuiltinDescription) -> Iterator[str]:
    yield f"### {builtin.name}\n"
    yield builtin.description + "\n"
    needs = f" Needs the server's extra `{builtin.extra}`." if builtin.extra else ""
    yield f"Value: {_VALUES[builtin.gives]}. Version {builtin.version}.{needs}\n"
    rows = _rows(BUILTINS[builtin.name].params)
    shared = {name: row for model in SHARED for name, row in _rows(model).items()}
    own = {name: row for name, row in rows.items() if shared.get(name) != row}
    others = [f"`{name}`" for name in rows if name not in own]
    if own:
        yield from _table(own)
    if others:
        yield f"{'And shared' if own else 'Shared'} parameters: {', '.join(others)}.\n"
    if not rows:
        yield "It takes no parameters.\n"


def _table(rows: dict[str, str]) -> Iterator[str]:
    yield "| parameter | kind | default | meaning |"
    yield "|---|---|---|---|"
    yield from rows.values()
    yield ""


def _rows(model: type[Params]) -> dict[str, str]:
    schema = params_schema(model)
    required = schema.get("required", ())
    rows = {}
    for name, about in schema["properties"].items():
        default = f"`{json.dumps(about['default'])}`" if "default" in about else ""
        meaning = about["description"].replace("\n", " ").replace("|", "\\|")
        rows[name] = (
            f"| `{name}` | {_kind(about)} | {'required' if name in required else default} | {meaning} |"
        )
    return rows


def _kind(about: dict[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(f"`{choice}`" for choice in about["enum"])
    kind = {"object": "object", "array": "list", "integer": "whole number"}.get(
        about.get("type", ""), about.get("type", "any JSON")
    )
    if kind == "list" and "type" in about.get("items", {}):
        kind = f"list of {about['items']['type']}s"
    low, high = about.get("minimum", about.get("exclusiveMinimum")), about.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return kind if low is None else f"{kind}, at least {low}"


if __name__ == "__main__":
    sys.stdout.write(document())
