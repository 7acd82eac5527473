"""Builtins that look at text."""

from __future__ import annotations

from pydantic import Field
from rapidfuzz.distance import Levenshtein

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.equality import equal
from evalrpc_server.evaluators.builtin.params import Comparing, Negatable, OfOutput, TextOptions
from evalrpc_server.evaluators.builtin.patterns import Pattern, compile_pattern, search
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, text_of
from evalrpc_server.evaluators.builtin.unicode import prepare
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge, Unscored, Verdict

MAX_EDIT_CELLS = 1_000_000_000
"""The largest product of two lengths for which any edit distance is computed; it takes about 25 ms."""

MAX_EDITS = 1_000
"""The largest edit distance that is computed between longer texts; 1 MiB each take about 25 ms."""


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
    wanted = _wanted(subject, params, params.value)
    return wanted in prepare(text_of(subject.output(params.output_path)), params)


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


class LevenshteinParams(Comparing, TextOptions):
    """Parameters of `levenshtein`."""


@item_builtin(LevenshteinParams, gives=Gives.SCORE)
def levenshtein(params: LevenshteinParams, subject: Subject) -> Verdict:
    """How similar the output is to expected_output: 1 minus the edit distance over the length of the longer text.

    The distance counts inserted, deleted and replaced code points (Levenshtein 1966); two empty texts are similar (1).
    Documents that are not text are compared as compact JSON. Where the lengths multiply to more than 10^9 (two texts of
    31,000 characters), only distances up to 1,000 are computed; beyond, the evaluation is an error that says so.
    """
    expected = prepare(text_of(subject.expected(params.expected_path)), params)
    output = prepare(text_of(subject.output(params.output_path)), params)
    return edit_similarity(output, expected)


def edit_similarity(a: str, b: str) -> float:
    """Returns 1 - distance / length of the longer text, in bounded time.

    Raises:
        CannotJudge: the texts are long and far from each other.
    """
    longer = max(len(a), len(b))
    if not longer:
        return 1.0
    if len(a) * len(b) <= MAX_EDIT_CELLS:
        return Levenshtein.normalized_similarity(a, b)
    distance = Levenshtein.distance(a, b, score_cutoff=MAX_EDITS)
    if distance > MAX_EDITS:
        raise CannotJudge(
            f"the texts ({len(a)} and {len(b)} characters) are more than {MAX_EDITS} edits apart; "
            "texts of this length are compared only up to there"
        )
    return 1 - distance / longer


def _wanted(subject: Subject, params: ContainsParams, value: JsonValue) -> str:
    wanted = prepare(text_of(subject.expected(params.expected_path) if value is None else value), params)
    if not wanted:
        raise Unscored("the text to look for is empty: everything contains it")
    return wanted
