"""Builtins that look at text."""

from __future__ import annotations

from pydantic import Field

from evalrpc_server.evaluators.builtin.equality import equal
from evalrpc_server.evaluators.builtin.params import Comparing, Negatable, OfOutput, TextOptions, Words
from evalrpc_server.evaluators.builtin.patterns import Pattern, compile_pattern, search
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, text_of
from evalrpc_server.evaluators.builtin.unicode import prepare
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Scored, Unscored, Verdict

MAX_SEARCHED = 1_000_000_000
"""The largest product of the number of texts to look for and the length of the output; it takes about a second."""


class ExactMatchParams(Comparing, Negatable, TextOptions):
    """Parameters of `exact_match`."""


@item_builtin(ExactMatchParams, gives=Gives.BOOLEAN)
def exact_match(params: ExactMatchParams, subject: Subject) -> Verdict:
    """Whether the output equals expected_output.

    Text is compared with text under the options. Anything else is compared by JSON value: the order of keys does not
    matter, the order of lists does, 3 equals 3.0, and values of different kinds differ (42 is not "42", true is not 1).
    """
    expected = subject.expected(params.expected_path)
    output = subject.output(params.output_path)
    if isinstance(expected, str) and isinstance(output, str):
        return output == expected or prepare(output, params) == prepare(expected, params)
    return equal(output, expected)


class ContainsParams(Comparing, Negatable, TextOptions):
    """Parameters of `contains`."""

    value: str | None = Field(
        default=None, min_length=1, description="The text to look for; default: the expected_output."
    )


@item_builtin(ContainsParams, gives=Gives.BOOLEAN)
def contains(params: ContainsParams, subject: Subject) -> Verdict:
    """Whether the output contains expected_output, or the text in `value`.

    A document that is not text is searched, or searched for, as compact JSON. An empty expected_output leaves the item
    unscored, since everything contains it.
    """
    wanted = _wanted(params, subject)
    return wanted in prepare(text_of(subject.output(params.output_path)), params)


class ContainsManyParams(Comparing, Negatable, TextOptions):
    """Parameters of `contains_any` and `contains_all`."""

    values: Words | None = Field(
        default=None,
        description="The texts to look for; default: the expected_output, a text or a list of texts.",
    )


@item_builtin(ContainsManyParams, gives=Gives.BOOLEAN)
def contains_any(params: ContainsManyParams, subject: Subject) -> Verdict:
    """Whether the output contains at least one of several texts."""
    output, wanted = _many(params, subject)
    found = [text for text, prepared in wanted if prepared in output]
    return Scored(bool(found), _listed("contains", found[:1]) if found else "contains none of the texts")


@item_builtin(ContainsManyParams, gives=Gives.BOOLEAN)
def contains_all(params: ContainsManyParams, subject: Subject) -> Verdict:
    """Whether the output contains every one of several texts; the comment names those that it does not contain."""
    output, wanted = _many(params, subject)
    missing = [text for text, prepared in wanted if prepared not in output]
    return Scored(not missing, _listed("does not contain", missing) if missing else "")


class AffixParams(Comparing, Negatable, TextOptions):
    """Parameters of `starts_with` and `ends_with`."""

    value: str | None = Field(
        default=None, min_length=1, description="The text; default: the expected_output."
    )


@item_builtin(AffixParams, gives=Gives.BOOLEAN)
def starts_with(params: AffixParams, subject: Subject) -> Verdict:
    """Whether the output starts with expected_output, or with the text in `value`."""
    output, wanted = _affix(params, subject)
    return output.startswith(wanted)


@item_builtin(AffixParams, gives=Gives.BOOLEAN)
def ends_with(params: AffixParams, subject: Subject) -> Verdict:
    """Whether the output ends with expected_output, or with the text in `value`."""
    output, wanted = _affix(params, subject)
    return output.endswith(wanted)


class RegexParams(OfOutput, Negatable):
    """Parameters of `regex`."""

    pattern: Pattern = Field(
        description="Regular expression in RE2 syntax; flags go in front, as in (?is). It has no look-around and no back-references."
    )
    ignore_case: bool = Field(default=False, description="Match without regard to case.")
    full_match: bool = Field(
        default=False, description="The pattern must match the whole output, not only a part of it."
    )


@item_builtin(RegexParams, gives=Gives.BOOLEAN)
def regex(params: RegexParams, subject: Subject) -> Verdict:
    """Whether the output matches a regular expression.

    The engine is RE2, whose time is linear in the length of the output whatever the pattern. An output that is not text
    is matched as compact JSON.
    """
    compiled = compile_pattern(params.pattern, ignore_case=params.ignore_case)
    return search(compiled, text_of(subject.output(params.output_path)), full_match=params.full_match)


def _affix(params: AffixParams, subject: Subject) -> tuple[str, str]:
    wanted = _wanted(params, subject)
    return prepare(text_of(subject.output(params.output_path)), params), wanted


def _wanted(params: ContainsParams | AffixParams, subject: Subject) -> str:
    value = text_of(subject.expected(params.expected_path)) if params.value is None else params.value
    wanted = prepare(value, params)
    if not wanted:
        raise Unscored("the text to look for is empty, and every output has that")
    return wanted


def _many(params: ContainsManyParams, subject: Subject) -> tuple[str, list[tuple[str, str]]]:
    values = params.values
    if values is None:
        expected = subject.expected(params.expected_path)
        values = [expected] if isinstance(expected, str) else expected
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise Unscored(f"expected_output is {kind_of(expected)}, not a list of texts")
    wanted = [(value, prepare(value, params)) for value in values]
    if not all(prepared for _, prepared in wanted):
        raise Unscored("one of the texts to look for is empty, and every output has that")
    output = prepare(text_of(subject.output(params.output_path)), params)
    if len(wanted) * len(output) > MAX_SEARCHED:
        raise CannotJudge(
            f"{len(wanted)} texts are too many to look for in an output of {len(output)} characters"
        )
    return output, wanted


def _listed(what: str, texts: list[str]) -> str:
    shown = ", ".join(f'"{text[:100]}"' for text in texts[:5])
    return f"{what} {shown}" + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
