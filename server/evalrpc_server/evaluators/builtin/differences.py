"""Comparing two JSON values place by place."""

from __future__ import annotations

from msgspec import Struct, field

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.equality import equal
from evalrpc_server.evaluators.builtin.numbers import close
from evalrpc_server.evaluators.builtin.similarity import edit_similarity
from evalrpc_server.evaluators.builtin.verdicts import Scored

MAX_LISTED = 50
"""How many places that differ are named."""

MAX_SIMILAR_TEXT = 10_000
"""The longest texts that are scored by their similarity."""


class Comparison(Struct):
    """How far two values agree.

    Attributes:
        total: innermost values, of both sides together.
        agreed: how many of them agree, partly agreeing ones by their share.
        changed: pointers to the places that hold different values, the first `MAX_LISTED`.
        missing: pointers to what only the expected value has, likewise.
        unexpected: pointers to what only the output has, likewise.
        differing: how many places differ.
    """

    total: int = 0
    agreed: float = 0.0
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    differing: int = 0

    def differ(self, listed: list[str], pointer: str, leaves: int) -> None:
        """Counts a place that differs and the innermost values in it."""
        self.total += leaves
        self.differing += 1
        if len(listed) < MAX_LISTED:
            listed.append(pointer[:500] or "/")

    def verdict(self) -> Scored:
        """Returns the share that agrees, with the places that do not."""
        score = self.agreed / self.total if self.total else 1.0
        if not self.differing:
            return Scored(score)
        places = {"changed": self.changed, "missing": self.missing, "unexpected": self.unexpected}
        shown = [f"{kind}: {', '.join(paths[:5])}" for kind, paths in places.items() if paths]
        comment = f"{self.differing} of {self.total} differ; {'; '.join(shown)}"
        return Scored(score, comment, {"differing": self.differing, **places})


def compare(
    output: JsonValue,
    expected: JsonValue,
    *,
    tolerance: float = 0.0,
    similar_text: bool = False,
    ignore_extra: bool = False,
) -> Comparison:
    """Compares two values. However deep they are, it does not recurse."""
    found = Comparison()
    places: list[tuple[str, JsonValue, JsonValue]] = [("", output, expected)]
    while places:
        pointer, left, right = places.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            for key in right.keys() - left.keys():
                found.differ(found.missing, _below(pointer, key), _leaves(right[key]))
            for key in left.keys() - right.keys() if not ignore_extra else ():
                found.differ(found.unexpected, _below(pointer, key), _leaves(left[key]))
            places += [(_below(pointer, key), left[key], right[key]) for key in right if key in left]
        elif isinstance(left, list) and isinstance(right, list):
            shared = min(len(left), len(right))
            for index, item in enumerate(right[shared:], shared):
                found.differ(found.missing, _below(pointer, str(index)), _leaves(item))
            for index, item in enumerate(left[shared:], shared):
                found.differ(found.unexpected, _below(pointer, str(index)), _leaves(item))
            places += [(_below(pointer, str(i)), left[i], right[i]) for i in range(shared)]
        else:
            share = _agreement(left, right, tolerance, similar_text=similar_text)
            found.agreed += share
            if share < 1:
                found.differ(found.changed, pointer, max(_leaves(left), _leaves(right)))
            else:
                found.total += 1
    for listed in (found.changed, found.missing, found.unexpected):
        listed.sort()
    return found


def _agreement(left: JsonValue, right: JsonValue, tolerance: float, *, similar_text: bool) -> float:
    if equal(left, right):
        return 1.0
    if isinstance(left, str) and isinstance(right, str):
        short = max(len(left), len(right)) <= MAX_SIMILAR_TEXT
        return edit_similarity(left, right) if similar_text and short else 0.0
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    return float(numbers and close(left, right, tolerance, 0.0))


def _below(pointer: str, key: str) -> str:
    # A pointer longer than what is shown of it only costs memory.
    if len(pointer) > 1_000:
        return pointer
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def _leaves(value: JsonValue) -> int:
    count, values = 0, [value]
    while values:
        inner = values.pop()
        if isinstance(inner, dict) and inner:
            values.extend(inner.values())
        elif isinstance(inner, list) and inner:
            values.extend(inner)
        else:
            count += 1
    return count
