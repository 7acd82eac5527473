"""Templates as fields of a spec: checked when it is accepted, each fault at its own place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from pydantic_core import PydanticCustomError

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.templates import JsonTemplate, Placeholder, TemplateSyntaxError, template_strings

ITEM_ROOTS = ("input", "metadata", "item_id", "trial", "experiment", "trace_id")
"""What the paths of every task's templates may begin with."""

EXPECTED_OUTPUT = "expected_output"
"""What they may begin with as well where the task may see the expected output."""

CAPTURED = "captured"
"""What paths to values begin with that were kept of an earlier call's answer."""

Fault: TypeAlias = tuple[str, str]
"""The place within a field, such as `.messages[0].content`, and what is wrong with it."""


def fault(problem: str, path: str = "") -> PydanticCustomError:
    """Makes the violation of a field, or of the place `path` within it, such as `.messages[0].content`."""
    return faults([(path, problem)])


def faults(found: Collection[Fault]) -> PydanticCustomError:
    """Makes the violations of several places within a field."""
    return PydanticCustomError(
        "template", "{problem}", {"problem": next(iter(found))[1], "faults": list(found)}
    )


def check_template(value: JsonValue) -> None:
    """Checks a template, a string or any JSON value that holds some, of a task that never sees the expected output.

    Raises:
        PydanticCustomError: it is malformed, or asks for values that there are not.
    """
    check_syntax(value)
    if found := list(find_faults(value, roots=ITEM_ROOTS, advice="")):
        raise faults(found)


def check_syntax(value: JsonValue, path: str = "") -> None:
    """Checks that a template is well-formed.

    Raises:
        PydanticCustomError: it is malformed.
    """
    try:
        JsonTemplate(value)
    except TemplateSyntaxError as error:
        raise fault(error.problem, path + error.path) from None


def find_faults(
    value: JsonValue,
    *,
    roots: Collection[str],
    captured: Collection[str] = (),
    path: str = "",
    advice: str = "; set include_expected_output",
) -> Iterator[Fault]:
    """Yields the values that a well-formed template asks for and that there are not, with their places.

    Args:
        value: the template.
        roots: what its paths may begin with.
        captured: the names of values that were kept of an earlier call's answer.
        path: its place within the field.
        advice: what lets the task see the expected output.
    """
    for place, text in template_strings(value, path):
        for placeholder in JsonTemplate(text).placeholders:
            if problem := _problem(placeholder, roots, captured, advice):
                yield place, problem


def _problem(placeholder: Placeholder, roots: Collection[str], captured: Collection[str], advice: str) -> str:
    root, source = placeholder.root, placeholder.source
    if root in roots:
        return ""
    if root == CAPTURED:
        name = placeholder.steps[0] if placeholder.steps else ""
        return "" if name in captured else f"holds {source}, but no earlier call captures {name!r}"
    if root == EXPECTED_OUTPUT:
        return f"holds {source}, which the task does not get to see{advice}"
    return f"holds {source}, but there is no {root!r}; a path begins with {', '.join(roots)}"
