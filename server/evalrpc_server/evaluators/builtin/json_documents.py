"""Builtins that look at JSON documents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from evalrpc_server.evaluators.builtin.differences import compare
from evalrpc_server.evaluators.builtin.equality import canonical, equal
from evalrpc_server.evaluators.builtin.json_schemas import JsonSchema, first_problems
from evalrpc_server.evaluators.builtin.params import Comparing, Finite, Negatable, OfOutput, Pointer
from evalrpc_server.evaluators.builtin.pointers import PointerError, resolve
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, parsed, read_json
from evalrpc_server.evaluators.builtin.verdicts import Scored, Verdict, WrongOutput


class JsonEqualParams(Comparing, Negatable):
    """Parameters of `json_equal`."""

    parse_text: bool = Field(
        default=True,
        description="Read text that holds JSON, also in a Markdown code fence, as that JSON, on both sides.",
    )
    ignore_order: bool = Field(default=False, description="Ignore the order of lists, at every depth.")


@item_builtin(JsonEqualParams, gives=Gives.BOOLEAN)
def json_equal(params: JsonEqualParams, subject: Subject) -> Verdict:
    """Whether the output and expected_output are the same JSON value.

    The order of keys does not matter, 3 equals 3.0, values of different kinds differ. Text that holds JSON counts as
    that JSON, as language models answer in text; text that does not stands for itself.
    """
    expected = subject.expected(params.expected_path)
    output = subject.output(params.output_path)
    if params.parse_text:
        expected, output = parsed(expected), parsed(output)
    if params.ignore_order:
        return canonical(output) == canonical(expected)
    return equal(output, expected)


class JsonValidParams(OfOutput, Negatable):
    """Parameters of `json_valid`."""


@item_builtin(JsonValidParams, gives=Gives.BOOLEAN)
def json_valid(params: JsonValidParams, subject: Subject) -> Verdict:
    """Whether the output is JSON: text that holds JSON, also in a Markdown code fence, or a document that is not text."""
    output = subject.output(params.output_path)
    if isinstance(output, str):
        try:
            read_json(output)
        except ValueError as error:
            return Scored(value=False, comment=f"is not JSON: {error}")
    return True


class JsonSchemaParams(OfOutput, Negatable):
    """Parameters of `json_schema`."""

    json_schema: JsonSchema = Field(
        alias="schema",
        description=(
            "The JSON Schema (draft 2020-12 unless its $schema says otherwise). References may point into it, not "
            "elsewhere; patterns have no look-around."
        ),
    )


@item_builtin(JsonSchemaParams, gives=Gives.BOOLEAN)
def json_schema(params: JsonSchemaParams, subject: Subject) -> Verdict:
    """Whether the output obeys a JSON Schema; the comment names what does not.

    Text that holds JSON, also in a Markdown code fence, is read as that JSON, unless the schema asks for text.
    """
    output = subject.output(params.output_path)
    document = parsed(output)
    problems = first_problems(params.json_schema, document)
    if problems and document is not output:
        problems = first_problems(params.json_schema, output) and problems
    return Scored(not problems, "; ".join(problems))


class JsonDiffParams(Comparing):
    """Parameters of `json_diff`."""

    tolerance: Finite = Field(
        default=0.0, ge=0, description="The largest difference at which two numbers count as equal."
    )
    similar_text: bool = Field(
        default=False,
        description="Give two texts that differ the score of their edit similarity instead of 0.",
    )
    ignore_extra: bool = Field(
        default=False, description="Ignore keys of the output that expected_output does not have."
    )


@item_builtin(JsonDiffParams, gives=Gives.SCORE)
def json_diff(params: JsonDiffParams, subject: Subject) -> Verdict:
    """The share of the values in the output and expected_output that agree, place by place, from 0 to 1.

    Both are taken apart into their innermost values; a value that only one side has, or that differs, counts as 0.
    Lists are compared index by index. The comment and the metadata name the places that differ by their JSON pointers.
    Text that holds JSON is read as that JSON.
    """
    expected = parsed(subject.expected(params.expected_path))
    found = compare(
        parsed(subject.output(params.output_path)),
        expected,
        tolerance=params.tolerance,
        similar_text=params.similar_text,
        ignore_extra=params.ignore_extra,
    )
    return found.verdict()


class JsonValueParams(Negatable):
    """Parameters of `json_value`."""

    path: Pointer = Field(description="JSON pointer (RFC 6901) into the output, such as /status.")
    value: Any = Field(
        default=None,
        description="The value that has to stand there, any JSON; left out: it is enough that there is one.",
    )


@item_builtin(JsonValueParams, gives=Gives.BOOLEAN)
def json_value(params: JsonValueParams, subject: Subject) -> Verdict:
    """Whether the output has a value at a path, and, where `value` is given, that value.

    Text that holds JSON is read as that JSON. 3 equals 3.0; values of different kinds differ.
    """
    try:
        found = resolve(parsed(subject.output()), params.path)
    except PointerError:
        raise WrongOutput(f"the output has no value at {params.path}") from None
    return "value" not in params.model_fields_set or equal(found, params.value)
