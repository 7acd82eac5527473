"""A schema that a caller writes reaches nobody and costs no more than it should."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.schema_cost import MAX_LOOKS, SchemaCostError, looks_per_value
from evalrpc_server.evaluators.builtin.validation import validate_builtin
from tests.evaluators.cases import case, say


def problem(schema: Any) -> str:
    found = validate_builtin("json_schema", {"schema": schema}, Level.ITEM)
    return "; ".join(f"{violation.path}: {violation.description}" for violation in found)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    connection, address = server.accept()
                    calls.append(str(address))
                    connection.close()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/schema.json", calls
        server.shutdown(socket.SHUT_RDWR)


def test_a_remote_reference_is_refused_and_nobody_is_called(listener):
    url, calls = listener
    for schema in (
        {"$ref": url},
        {"properties": {"a": {"$ref": url + "#/a"}}},
        {"$schema": url},
        {"$id": url, "$ref": "other.json"},
        {"items": {"$id": url}},
        {"$dynamicRef": url},
    ):
        assert problem(schema), schema
    assert calls == []


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({"type": "objec"}, "builtin.params.schema: is not a usable JSON Schema (at /type)"),
        ({"minimum": "x"}, "(at /minimum)"),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "no look-around"),
        ({"$ref": "#/$defs/none"}, "nothing at the reference #/$defs/none"),
        ({"$ref": "#anchor"}, "no JSON pointer into the schema"),
        ([], "must be a valid dictionary"),
        ({"description": "x" * 200_000}, "100000 are allowed"),
    ],
)
def test_a_schema_that_cannot_be_used_is_explained(schema, hint):
    assert hint in problem(schema)


def test_doubling_references_are_refused():
    doubling = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**doubling, "d40": {"type": "number"}}}
    assert "is too expensive to apply" in problem(schema)


def test_references_that_double_with_every_level_of_the_value_are_refused():
    assert "is too expensive to apply" in problem(
        {"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}, "title": "again"}]}
    )


def test_a_reference_to_itself_is_refused():
    assert "is too expensive to apply" in problem({"$ref": "#"})
    assert "is too expensive to apply" in problem({"anyOf": [{"type": "string"}, {"not": {"$ref": "#"}}]})


def test_recursive_schemas_that_cost_nothing_much_are_welcome():
    tree = {
        "type": "object",
        "properties": {
            "value": {"type": "number"},
            "left": {"$ref": "#"},
            "right": {"$ref": "#"},
            "more": {"type": "array", "prefixItems": [{"$ref": "#"}], "items": {"$ref": "#"}},
        },
        "additionalProperties": False,
    }
    assert problem(tree) == ""
    assert looks_per_value(tree) <= 10
    good = {"value": 1, "left": {"right": {"value": 2}}, "more": [{}, {"left": {}}]}
    assert say("json_schema", case(good), schema=tree).value is True
    assert say("json_schema", case({"left": {"right": {"value": "x"}}}), schema=tree).value is False


def test_the_bound_counts_every_part_that_applies_to_one_value():
    part = {"type": "number"}
    assert looks_per_value({"allOf": [part, {"anyOf": [part, part]}], "not": part}) == 6
    assert looks_per_value({"properties": {"a": {"allOf": [part, part]}, "b": part}}) == 3
    with pytest.raises(SchemaCostError):
        looks_per_value({"allOf": [{}] * MAX_LOOKS})


def test_an_output_too_large_for_its_schema_is_an_error_and_not_tried():
    schema = {"items": {"allOf": [{"title": str(i)} for i in range(900)]}}
    said = say("json_schema", case([0] * 100_000), schema=schema)
    assert said.error is not None
    assert "too large for a schema of this size" in said.error.message
