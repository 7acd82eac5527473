"""Reading what models write where JSON of a given shape was asked for.

Strict structured output makes most of this needless. It is for the endpoints that do not know it, or know it and name the
members as they like: Qwen, DeepSeek and models behind older servers answer `rating` for `score`, wrap the object in another
one, put it into a code fence or behind their thoughts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Sequence

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.judge.verdicts import InvalidVerdictError

SCORE = ("score", "rating", "grade", "finalscore", "overallscore", "points", "mark", "value", "verdict", "result",
         "answer", "judgment", "judgement", "evaluation", "评分", "分数", "得分")  # fmt: skip
LABEL = ("label", "category", "class", "classification", "choice", "verdict", "value", "result", "answer", "judgment",
         "judgement", "grade", "rating", "evaluation", "标签", "类别", "分类")  # fmt: skip
BOOLEAN = ("passed", "pass", "verdict", "value", "result", "answer", "correct", "iscorrect", "ispass", "supported",
           "issupported", "faithful", "useful", "isuseful", "relevant", "isrelevant", "label", "score", "judgment",
           "judgement", "evaluation", "结果", "判断", "通过")  # fmt: skip
WINNER = ("winner", "better", "preferred", "preference", "best", "choice", "verdict", "result", "answer", "value", "label",
          "胜者", "结果")  # fmt: skip
REASONING = ("reasoning", "reason", "explanation", "rationale", "justification", "analysis", "comment", "thought",
             "thoughts", "thinking", "feedback", "理由", "原因", "解释", "分析")  # fmt: skip

MAX_STARTS = 100
"""How many places in a text are tried as the beginning of an object."""

_THOUGHTS_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_FRACTION = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*/\s*([0-9]+(?:\.[0-9]+)?)")
_TRUE = frozenset(
    {"true", "yes", "y", "pass", "passed", "correct", "supported", "1", "是", "对", "да", "通过"}
)
_FALSE = frozenset(
    {"false", "no", "n", "fail", "failed", "incorrect", "unsupported", "0", "否", "错", "нет", "不通过"}
)
_MAX_SCALAR = 200
_MAX_DEPTH = 3


def read_answer(text: str) -> JsonValue:
    """Returns the JSON in a model's text: all of it, or its last object; a short text without any stands for itself.

    Raises:
        InvalidVerdictError: there is none.
    """
    plain = _THOUGHTS_END.split(text)[-1].strip()
    if not plain:
        raise InvalidVerdictError("is empty")
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        pass
    found = list(_objects(plain))
    if found:
        return found[-1]
    if len(plain) <= _MAX_SCALAR and "{" not in plain:
        return plain
    raise InvalidVerdictError("holds no JSON object")


def member(answer: JsonValue, names: Sequence[str], kinds: type | tuple[type, ...]) -> JsonValue:
    """Returns the value of the first of several names, also within objects that wrap the answer; else the only value.

    Names are compared without case, blanks and punctuation. An answer that is a value itself is that value.

    Args:
        answer: what the model answered.
        names: in the order in which they are tried.
        kinds: the types of values that are wanted.

    Raises:
        InvalidVerdictError: there is none, or several and none has one of the names.
    """
    if isinstance(answer, kinds):
        return answer
    for level in _levels(answer):
        named = {_plain(name): value for name, value in level.items()}
        for name in names:
            if isinstance(named.get(name), kinds):
                return named[name]
    for level in _levels(answer):
        others = [
            value
            for name, value in level.items()
            if isinstance(value, kinds) and _plain(name) not in REASONING
        ]
        if len(others) == 1:
            return others[0]
    raise InvalidVerdictError(f"has no member {names[0]}")


def reasoning(answer: JsonValue) -> str:
    """Returns the explanation in an answer; empty where there is none."""
    for level in _levels(answer):
        named = {_plain(name): value for name, value in level.items()}
        for name in REASONING:
            value = named.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
            if isinstance(value, list) and value and all(isinstance(step, str) for step in value):
                return "\n".join(value).strip()
    return ""


def number(value: JsonValue, low: float, high: float) -> float:
    """Returns a score, also where it is written as `"4"` or, against the best score, as `"4/5"`.

    Raises:
        InvalidVerdictError: it is no number, or not on the scale.
    """
    if isinstance(value, str):
        text = value.strip()
        if (fraction := _FRACTION.fullmatch(text)) and float(fraction[2]) == high:
            text = fraction[1]
        try:
            value = float(text)
        except ValueError:
            raise InvalidVerdictError("has a score that is no number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidVerdictError("has a score that is no number")
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    if not low <= score <= high:
        raise InvalidVerdictError(f"has the score {score:g}, which is not from {low:g} to {high:g}")
    return score


def truth(value: JsonValue) -> bool:
    """Returns a yes or no, also where it is written as 1 or "yes".

    Raises:
        InvalidVerdictError: it is neither.
    """
    word = _plain(str(value)) if isinstance(value, str) else value
    if word in {1, "1"} or word in _TRUE:
        return True
    if word in {0, "0"} or word in _FALSE:
        return False
    raise InvalidVerdictError("has a verdict that is neither true nor false")


def choice(value: JsonValue, choices: Collection[str]) -> str:
    """Returns the one of several words that a value is, whatever its case.

    Raises:
        InvalidVerdictError: it is none of them.
    """
    word = str(value).strip().strip("\"'.").casefold()
    for each in choices:
        if each.strip().casefold() == word:
            return each
    shown = ", ".join(list(choices)[:20])
    raise InvalidVerdictError(f"has a label that is none of {shown}")


def _levels(answer: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Yields the answer and what it wraps, from the outside in."""
    level = [answer]
    for _ in range(_MAX_DEPTH):
        level = [
            one for each in level for one in (each if isinstance(each, list) and len(each) == 1 else [each])
        ]
        objects = [each for each in level if isinstance(each, dict)]
        yield from objects
        level = [value for each in objects for value in each.values() if isinstance(value, dict | list)]


def _objects(text: str) -> Iterator[JsonValue]:
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(MAX_STARTS):
        begin = text.find("{", position)
        if begin < 0:
            return
        try:
            value, position = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            position = begin + 1
            continue
        yield value


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
