"""The catalogue of builtins, for callers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import Struct

from evalrpc_server.domain.documents import Document, document_from_value
from evalrpc_server.evaluators.builtin.params import Params, own_first
from evalrpc_server.evaluators.builtin.registry import Gives, Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import validate_builtin

__all__ = ["BuiltinDescription", "Gives", "Level", "list_builtins", "validate_builtin"]


class BuiltinDescription(Struct, frozen=True, kw_only=True):
    """What a caller is told of a builtin.

    Attributes:
        name: for the field `builtin.name`.
        version: raised whenever the same output would be judged otherwise than before.
        level: whether it judges items or runs.
        gives: the kind of its values.
        description: for people; Markdown, the first sentence is a summary.
        params_schema: the JSON Schema (draft 2020-12) of its parameters.
        extra: the optional dependencies of the server that it needs; empty for none.
    """

    name: str
    version: int
    level: Level
    gives: Gives
    description: str
    params_schema: Document
    extra: str = ""


@cache
def list_builtins() -> Sequence[BuiltinDescription]:
    """Returns all builtins in alphabetical order."""
    return tuple(
        BuiltinDescription(
            name=builtin.name,
            version=builtin.version,
            level=builtin.level,
            gives=builtin.gives,
            description=builtin.description,
            params_schema=document_from_value(params_schema(builtin.params)),
            extra=builtin.extra,
        )
        for builtin in BUILTINS.values()
    )


def params_schema(model: type[Params]) -> dict[str, Any]:
    """Returns the JSON Schema of a parameter model, without titles, and with null for nothing: leave the parameter out."""
    schema = model.model_json_schema()
    fields = schema.get("properties", {})
    about = {key: value for key, value in schema.items() if key not in {"title", "description", "properties"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **about,
        "properties": {name: _field(fields[name]) for name in own_first(model)},
    }


def _field(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    field = {key: value for key, value in schema.items() if key != "title"}
    if len(choices) == 1 and len(choices) < len(schema["anyOf"]):
        del field["anyOf"]
        field |= choices[0]
        if field.get("default", ...) is None:
            del field["default"]
    return field
