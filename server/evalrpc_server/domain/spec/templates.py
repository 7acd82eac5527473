"""Templates as fields of a spec: checked when it is accepted, each fault at its own place."""

from __future__ import annotations

from collections.abc import Collection

from pydantic_core import PydanticCustomError

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.templates import JsonTemplate, Placeholder, TemplateSyntaxError, template_strings

ITEM_ROOTS = ("input", "metadata", "item_id", "trial", "experiment", "trace_id")
"""What the paths of every task's templates may begin with."""

EXPECTED_OUTPUT = "expected_output"
"""What they may begin with as well where the task may see the expected output."""


def fault(problem: str, path: str = "") -> PydanticCustomError:
    """Makes the violation of a field, or of the place `path` within it, such as `.messages[0].content`."""
    return PydanticCustomError("template", "{problem}", {"problem": problem, "path": path})


def check_template(value: JsonValue, *, roots: Collection[str] = ITEM_ROOTS, path: str = "") -> None:
    """Checks a template, a string or any JSON value that holds some.

    Args:
        value: the template.
        roots: what its paths may begin with.
        path: its place within the field.

    Raises:
        PydanticCustomError: it is malformed, or asks for a value that there is not.
    """
    try:
        JsonTemplate(value)
    except TemplateSyntaxError as error:
        raise fault(error.problem, path + error.path) from None
    for place, text in template_strings(value, path):
        for placeholder in JsonTemplate(text).placeholders:
            _check_root(placeholder, roots, place)


def _check_root(placeholder: Placeholder, roots: Collection[str], path: str) -> None:
    if placeholder.root in roots:
        return
    if placeholder.root == EXPECTED_OUTPUT:
        raise fault(
            f"holds {placeholder.source}, which the task does not get to see; set include_expected_output",
            path,
        )
    raise fault(
        f"holds {placeholder.source}, but there is no {placeholder.root!r}; a path begins with {', '.join(roots)}",
        path,
    )
