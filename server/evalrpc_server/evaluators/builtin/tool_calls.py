"""Builtins that compare the tool calls of an agent with those expected."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from msgspec import Struct
from pydantic import Field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.equality import canonical
from evalrpc_server.evaluators.builtin.params import Comparing, Negatable, Params
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.similarity import f_score
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, parsed
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored, Verdict, WrongOutput


class ToolCall(Struct, frozen=True):
    """A call of a tool; `arguments` is their canonical JSON, the order of lists in them does not matter."""

    name: str
    arguments: str


class ToolCallParams(Params):
    """What makes two tool calls the same."""

    compare_arguments: bool = Field(
        default=True, description="Compare the arguments too, as JSON values; false: names only."
    )


class ToolCallsMatchParams(Comparing, Negatable, ToolCallParams):
    """Parameters of `tool_calls_match`."""

    mode: Literal["strict", "unordered", "subset", "superset"] = Field(
        default="strict",
        description=(
            "strict: the same calls in the same order; unordered: the same calls in any order; subset: no calls but "
            "expected ones; superset: all expected calls, and maybe more."
        ),
    )


@item_builtin(ToolCallsMatchParams, gives=Gives.BOOLEAN)
def tool_calls_match(params: ToolCallsMatchParams, subject: Subject) -> Verdict:
    """Whether the tool calls in the output are those in expected_output; the comment names what is missing or extra.

    Calls are read from a list of `{"name", "arguments"}`, of OpenAI's `{"function": {"name", "arguments"}}`, of
    Anthropic's `{"type": "tool_use", "name", "input"}`, or of plain names; from an object with such a list under
    `tool_calls`, `content` or `output`; or from JSON text that holds one of these. Arguments may be JSON text; the order
    of lists in them does not matter. An output in plain text calls no tools.
    """
    found, wanted = _calls(params, subject)
    missing = Counter(wanted) - Counter(found)
    extra = Counter(found) - Counter(wanted)
    if params.mode == "strict":
        matches = found == wanted
    else:
        matches = not ((params.mode != "subset" and missing) or (params.mode != "superset" and extra))
    parts = [_named("missing", missing), _named("not expected", extra)]
    if params.mode == "strict" and not matches and not missing and not extra:
        parts.append("the order differs")
    return Scored(matches, "; ".join(part for part in parts if part))


class ToolCallF1Params(Comparing, ToolCallParams):
    """Parameters of `tool_call_f1`."""


@item_builtin(ToolCallF1Params, gives=Gives.SCORE)
def tool_call_f1(params: ToolCallF1Params, subject: Subject) -> Verdict:
    """The F1 score of the tool calls in the output against those in expected_output, in any order.

    Calls are read as for `tool_calls_match`.
    """
    found, wanted = _calls(params, subject)
    return f_score(sum((Counter(found) & Counter(wanted)).values()), len(found), len(wanted))


def _calls(
    params: ToolCallsMatchParams | ToolCallF1Params, subject: Subject
) -> tuple[list[ToolCall], list[ToolCall]]:
    expected = subject.expected(params.expected_path)
    wanted = read_calls(expected, arguments=params.compare_arguments)
    if wanted is None:
        raise Unscored(f"expected_output ({kind_of(expected)}) holds no list of tool calls")
    output = subject.output(params.output_path)
    if isinstance(parsed(output), str):
        return [], wanted
    found = read_calls(output, arguments=params.compare_arguments)
    if found is None:
        raise WrongOutput(f"the output ({kind_of(output)}) holds no list of tool calls")
    return found, wanted


def read_calls(value: JsonValue, *, arguments: bool) -> list[ToolCall] | None:
    """Returns the tool calls in a value, in order; None where it holds none in a known form."""
    value = parsed(value)
    if isinstance(value, dict):
        if "name" in value or "function" in value:
            value = [value]
        else:
            lists = (value.get(key) for key in ("tool_calls", "content", "output"))
            value = next((found for found in lists if found and isinstance(found, list)), [])
    if not isinstance(value, list):
        return None
    calls = []
    for entry in value:
        if isinstance(entry, dict) and entry.get("type") in {"text", "thinking", "message", "reasoning"}:
            continue
        call = _call(entry, arguments=arguments)
        if call is None:
            return None
        calls.append(call)
    return calls


def _call(entry: JsonValue, *, arguments: bool) -> ToolCall | None:
    if isinstance(entry, str):
        return ToolCall(entry, "")
    if not isinstance(entry, dict):
        return None
    function = entry["function"] if isinstance(entry.get("function"), dict) else entry
    name = function.get("name")
    if not isinstance(name, str):
        return None
    given: JsonValue = next(
        (function[key] for key in ("arguments", "input", "args") if key in function), None
    )
    if given is None or given == "":
        given = {}
    return ToolCall(name, canonical(parsed(given)) if arguments else "")


def _named(what: str, calls: Counter[ToolCall]) -> str:
    names = [f"{call.name}{call.arguments}"[:200] for call in calls.elements()]
    return f"{what}: {', '.join(names[:5])}" if names else ""
