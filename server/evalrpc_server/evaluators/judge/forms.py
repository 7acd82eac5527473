"""What a model is to answer with, by kind of verdict: the schema that it is held to, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.judge import parsing
from evalrpc_server.evaluators.judge.verdicts import InvalidVerdictError, Verdict

FIRST, SECOND, TIE = "first", "second", "tie"
"""Which of two outputs is better."""

_SIDES = {
    FIRST: FIRST, "1": FIRST, "a": FIRST, "output1": FIRST, "outputa": FIRST, "firstoutput": FIRST, "one": FIRST,
    SECOND: SECOND, "2": SECOND, "b": SECOND, "output2": SECOND, "outputb": SECOND, "secondoutput": SECOND,
    "two": SECOND,
    TIE: TIE, "draw": TIE, "equal": TIE, "both": TIE, "neither": TIE, "same": TIE, "none": TIE, "平局": TIE,
}  # fmt: skip

_STATEMENTS = ("statements", "claims", "facts", "verdicts", "results")
_CONTEXTS = ("contexts", "passages", "verdicts", "results")


class Form(Struct, frozen=True):
    """The form of an answer.

    Attributes:
        name: of the kind of verdict, for the API and in the prompt's version.
        members: the answer's members by name, as JSON Schema; all are required, the reasoning comes first.
        read: returns the verdict in an answer's JSON, or raises InvalidVerdictError.
    """

    name: str
    members: dict[str, Any]
    read: Callable[[JsonValue], Verdict]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of an answer, within what strict structured output allows."""
        return _object(self.members)


def score_form(low: float, high: float) -> Form:
    """Asks for a number from `low`, the worst, to `high`, the best."""
    about = f"from {low:g} (worst) to {high:g} (best)"

    def read(answer: JsonValue) -> Verdict:
        found = parsing.member(answer, parsing.SCORE, (int, float, str))
        return Verdict(parsing.number(found, low, high), parsing.reasoning(answer))

    return Form("score", {**_REASONING, "score": {"type": "number", "description": about}}, read)


def label_form(labels: Sequence[str]) -> Form:
    """Asks for one of several labels."""

    def read(answer: JsonValue) -> Verdict:
        found = parsing.member(answer, parsing.LABEL, (str, int, float, bool))
        return Verdict(parsing.choice(found, labels), parsing.reasoning(answer))

    return Form("label", {**_REASONING, "label": {"type": "string", "enum": list(labels)}}, read)


def boolean_form() -> Form:
    """Asks for yes or no."""

    def read(answer: JsonValue) -> Verdict:
        return Verdict(_truth(answer), parsing.reasoning(answer))

    return Form("boolean", {**_REASONING, "passed": {"type": "boolean"}}, read)


def pair_form() -> Form:
    """Asks which of two outputs is better; the verdict's value is FIRST, SECOND or TIE."""

    def read(answer: JsonValue) -> Verdict:
        found = parsing.member(answer, parsing.WINNER, (str, int))
        side = _SIDES.get("".join(each for each in str(found).casefold() if each.isalnum()))
        if side is None:
            raise InvalidVerdictError(f"has a winner that is none of {FIRST}, {SECOND}, {TIE}")
        return Verdict(side, parsing.reasoning(answer))

    return Form("winner", {**_REASONING, "winner": {"type": "string", "enum": [FIRST, SECOND, TIE]}}, read)


def statements_form() -> Form:
    """Asks for the statements of an output, and of each whether it is supported; the value is the supported share."""
    entry = {"statement": {"type": "string"}, "supported": {"type": "boolean"}}

    def read(answer: JsonValue) -> Verdict:
        entries = _entries(answer, _STATEMENTS)
        if not entries:
            return Verdict(None, unscored="the output makes no statement that could be supported")
        supported = [_truth(each) for each in entries]
        wrong = [_statement(each) for each, good in zip(entries, supported, strict=True) if not good]
        about = f"{sum(supported)} of {len(supported)} statements supported"
        listed = "; not: " + "; ".join(wrong[:10]) if any(wrong) else ""
        return Verdict(sum(supported) / len(supported), about + listed)

    return Form("faithfulness", {"statements": {"type": "array", "items": _object(entry)}}, read)


def contexts_form(count: int) -> Form:
    """Asks of each of `count` passages whether it is useful; the value is their average precision.

    Average precision is the mean, over the useful passages, of the share of useful ones among the passages up to there;
    0 where none is useful (Manning, Raghavan and Schütze 2008, section 8.4).
    """
    entry = {"number": {"type": "integer"}, "useful": {"type": "boolean"}}

    def read(answer: JsonValue) -> Verdict:
        entries = _entries(answer, _CONTEXTS)
        if len(entries) != count:
            raise InvalidVerdictError(f"speaks of {len(entries)} passages, not of {count}")
        if all(isinstance(each, dict) and isinstance(each.get("number"), int) for each in entries):
            if {each["number"] for each in entries} != set(range(1, count + 1)):
                raise InvalidVerdictError(f"does not number the passages from 1 to {count}")
            entries = sorted(entries, key=lambda each: int(each["number"]))
        useful = [_truth(each) for each in entries]
        places = ", ".join(str(place) for place, good in enumerate(useful, 1) if good)
        return Verdict(average_precision(useful), f"useful: {places}" if places else "no passage is useful")

    return Form("context_precision", {"contexts": {"type": "array", "items": _object(entry)}}, read)


def average_precision(relevant: Sequence[bool]) -> float:
    """Returns the average precision of a ranking; 0 where nothing in it is relevant."""
    hits, total = 0, 0.0
    for place, hit in enumerate(relevant, 1):
        if hit:
            hits += 1
            total += hits / place
    return total / hits if hits else 0.0


_REASONING: dict[str, Any] = {"reasoning": {"type": "string"}}


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _truth(answer: JsonValue) -> bool:
    return parsing.truth(parsing.member(answer, parsing.BOOLEAN, (bool, int, float, str)))


def _statement(entry: JsonValue) -> str:
    said = entry.get("statement") or entry.get("claim") if isinstance(entry, dict) else None
    return said[:200] if isinstance(said, str) else ""


def _entries(answer: JsonValue, names: Sequence[str]) -> list[JsonValue]:
    found: list[JsonValue] = answer if isinstance(answer, list) else parsing.member(answer, names, list)
    return found
