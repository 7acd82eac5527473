"""JSON Schemas that callers write: checked, self-contained, and cheap to apply whatever they say."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

import jsonschema_rs
import msgspec
from pydantic import AfterValidator

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.schema_cost import SchemaCostError, looks_per_value
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge

MAX_SCHEMA_BYTES = 100_000
"""The largest schema."""

MAX_STEPS = 5_000_000
"""The largest product of the steps that a schema takes per value and the values in an output."""

MAX_PROBLEMS = 5
"""How many problems of an output are named."""

MAX_LISTED = 2_000
"""The most values in an output of which more than one problem is named: the validator finds all before the first."""


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema that can be used, unchanged.

    Raises:
        ValueError: it cannot; the message says where, and what to do.
    """
    try:
        text = msgspec.json.encode(schema, order="sorted").decode()
        if len(text) > MAX_SCHEMA_BYTES:
            raise ValueError(f"is {len(text)} bytes; {MAX_SCHEMA_BYTES} are allowed")
        _compile(text)
    except SchemaCostError as error:
        raise ValueError(f"is too expensive to apply: {error}") from None
    except jsonschema_rs.ValidationError as error:
        raise ValueError(_explain(error)) from None
    except RecursionError:
        raise ValueError("is nested too deep") from None
    return schema


def first_problems(schema: dict[str, Any], value: JsonValue) -> list[str]:
    """Returns the first few problems that a value has with a schema; none if it obeys it.

    Raises:
        CannotJudge: value and schema together are too large.
    """
    text = msgspec.json.encode(schema, order="sorted").decode()
    validator, looks = _compile(text)
    values = _count(value, MAX_STEPS // looks)
    if values * looks > MAX_STEPS:
        raise CannotJudge("the output is too large for a schema of this size")
    try:
        if validator.is_valid(value):
            return []
        if values <= MAX_LISTED:
            return [_problem(error) for error in islice(validator.iter_errors(value), MAX_PROBLEMS)]
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return [_problem(error)]
    except ValueError:
        raise CannotJudge("the output is nested too deep for a JSON Schema") from None
    return []


def _problem(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"/{part}" for part in error.instance_path)
    return f"{place[:200] or 'the output'}: {error.message[:200]}"


JsonSchema = Annotated[dict[str, Any], AfterValidator(check_schema)]
"""A JSON Schema, as an object."""


@lru_cache(maxsize=200)
def _compile(text: str) -> tuple[Any, int]:
    schema = msgspec.json.decode(text)
    looks = looks_per_value(schema)
    options = jsonschema_rs.RegexOptions()
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=options), looks


def _count(value: JsonValue, most: int) -> int:
    count, values = 0, [value]
    while values and count <= most:
        inner = values.pop()
        count += 1
        if isinstance(inner, dict):
            values.extend(inner.values())
        elif isinstance(inner, list):
            values.extend(inner)
    return count


def _explain(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"/{part}" for part in error.instance_path)
    message = error.message
    if "Retrieval is disabled" in message:
        message = (
            "a reference points outside the schema, which is not followed; put what it needs under $defs"
        )
    elif '"regex"' in message:
        message += "; patterns have no look-around and no back-references"
    return f"is not a usable JSON Schema{f' (at {place})' if place else ''}: {message[:300]}"
