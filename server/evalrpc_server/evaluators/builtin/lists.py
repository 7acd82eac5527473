"""Builtins that look at lists."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.equality import canonical
from evalrpc_server.evaluators.builtin.params import Comparing, TextOptions
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.similarity import common_subsequence, f_score
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, parsed
from evalrpc_server.evaluators.builtin.unicode import prepare
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored, Verdict, WrongOutput


class ListF1Params(Comparing, TextOptions):
    """Parameters of `list_f1`."""

    ordered: bool = Field(
        default=False, description="Count only elements in the right order: the longest common subsequence."
    )
    score: Literal["f1", "precision", "recall"] = Field(
        default="f1",
        description="Which score is given: of both, of the output's elements, or of the expected ones.",
    )


@item_builtin(ListF1Params, gives=Gives.SCORE)
def list_f1(params: ListF1Params, subject: Subject) -> Verdict:
    """The F1 score of the elements of the output, a list, against those of expected_output, a list.

    Elements are equal as JSON values, whatever the order of lists inside them; text is compared under the options. An
    element that stands in a list twice is wanted twice. Text that holds a JSON list is read as that list. An output that
    is no list scores 0; an expected_output that is no list leaves the item unscored.
    """
    expected = subject.expected(params.expected_path)
    wanted = as_list(expected)
    if wanted is None:
        raise Unscored(f"expected_output is {kind_of(expected)}, not a list")
    output = subject.output(params.output_path)
    given = as_list(output)
    if given is None:
        raise WrongOutput(f"the output is {kind_of(output)}, not a list")
    found, sought = ([_key(element, params) for element in elements] for elements in (given, wanted))
    if params.ordered:
        common = common_subsequence(found, sought)
    else:
        common = sum((Counter(found) & Counter(sought)).values())
    scored = f_score(common, len(found), len(sought))
    if params.score == "f1" or not (found or sought):
        return scored
    total = len(found) if params.score == "precision" else len(sought)
    return Scored(common / total if total else 0.0, scored.comment)


def as_list(value: JsonValue) -> list[JsonValue] | None:
    """Returns a list, or the list that a text holds as JSON; None for anything else."""
    value = parsed(value)
    return value if isinstance(value, list) else None


def _key(element: JsonValue, params: TextOptions) -> str:
    return canonical(prepare(element, params) if isinstance(element, str) else element)
