"""Equality of JSON values."""

from __future__ import annotations

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.evaluators.builtin.verdicts import CannotJudge


def equal(a: JsonValue, b: JsonValue) -> bool:
    """Tells whether two JSON values are equal.

    Numbers are equal by value, 3 and 3.0 too; objects whatever the order of their keys; lists in their order. Values of
    different kinds differ. However deep the values, it does not recurse.
    """
    pairs = [(a, b)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, dict):
            if not isinstance(right, dict) or left.keys() != right.keys():
                return False
            pairs.extend((value, right[key]) for key, value in left.items())
        elif isinstance(left, list):
            if not isinstance(right, list) or len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif isinstance(left, bool) is not isinstance(right, bool) or left != right:
            return False
    return True


def canonical(value: JsonValue) -> str:
    """Returns a text that two values share exactly if they are equal but for the order of lists.

    Text, not hashable objects, because the hash of a number can be chosen by whoever writes the document.

    Raises:
        CannotJudge: the value is nested too deep.
    """
    try:
        return _canonical(value)
    except RecursionError:
        raise CannotJudge("the documents are nested too deep to be compared without order") from None


def _canonical(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{_text(key)}:{_canonical(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return _text(value)


def _number(value: float) -> str:
    try:
        as_float = float(value)
    except OverflowError:
        return str(value)
    return repr(as_float) if as_float == value else str(value)


def _text(value: JsonValue) -> str:
    return msgspec.json.encode(value).decode()
