"""Builtins that look at JSON documents."""

from __future__ import annotations

from pydantic import Field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.equality import canonical, equal
from evalrpc_server.evaluators.builtin.params import Comparing, Negatable
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, read_json
from evalrpc_server.evaluators.builtin.verdicts import Verdict


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
        expected, output = _parsed(expected), _parsed(output)
    if params.ignore_order:
        return canonical(output) == canonical(expected)
    return equal(output, expected)


def _parsed(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value
