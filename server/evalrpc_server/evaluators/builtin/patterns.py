"""Regular expressions that callers write, on an engine whose time is linear in the text."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, Field

from evalrpc_server.evaluators.builtin.verdicts import CannotJudge

MAX_PROGRAM = 20_000
"""The largest compiled pattern, in instructions of RE2."""

MAX_STEPS = 500_000_000
"""The largest product of instructions and bytes of text; at worst it takes about two seconds, outside the GIL."""

_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")


def check_pattern(pattern: str) -> str:
    """Returns a pattern that the engine accepts, unchanged.

    Raises:
        ValueError: it does not; the message says where, and what to do.
    """
    try:
        compiled = _compile(pattern, ignore_case=False)
    except re2.error as error:
        raise ValueError(_explain(pattern, error)) from None
    if compiled.programsize > MAX_PROGRAM:
        raise ValueError(_too_large(compiled.programsize))
    return pattern


def compile_pattern(pattern: str, *, ignore_case: bool) -> Any:
    """Returns the compiled pattern.

    Raises:
        CannotJudge: the pattern is too large with case ignored.
    """
    try:
        return _compile(pattern, ignore_case=ignore_case)
    except re2.error as error:
        raise CannotJudge(f"the pattern {_explain(pattern, error)}") from None


def search(compiled: Any, text: str, *, full_match: bool = False) -> bool:
    """Tells whether a compiled pattern matches a text.

    Raises:
        CannotJudge: the pattern is too large for a text of this length.
    """
    if compiled.programsize * len(text) > MAX_STEPS:
        raise CannotJudge(
            f"the pattern (compiled to {compiled.programsize} instructions) is too large for a text of {len(text)} characters"
        )
    return (compiled.fullmatch(text) if full_match else compiled.search(text)) is not None


Pattern = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(check_pattern)]
"""A regular expression in RE2 syntax."""


@lru_cache(maxsize=1000)
def _compile(pattern: str, *, ignore_case: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


def _explain(pattern: str, error: Exception) -> str:
    message = error.args[0].decode("utf-8", "replace") if error.args else "is invalid"
    what, _, fragment = message.partition(": ")
    if "too large" in message or what == "invalid repetition size":
        hint = "; RE2 allows at most 1000 repetitions, nested ones multiplied"
    elif what == "invalid perl operator" or any(look in pattern for look in _LOOKS):
        hint = "; RE2 has no look-around: use negate, or two evaluators"
    elif what == "invalid escape sequence" and fragment[1:2].isdigit():
        hint = "; RE2 has no back-references"
    else:
        hint = ""
    where = (
        f" at character {pattern.find(fragment) + 1} ({fragment})" if fragment and fragment in pattern else ""
    )
    return f"is not a pattern that RE2 accepts: {what}{where}{hint}"


def _too_large(size: int) -> str:
    return f"is too large: it compiles to {size} instructions, {MAX_PROGRAM} are allowed; use smaller repetitions"
