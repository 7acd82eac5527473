"""JSON documents as text: exact to the last digit, and parsed only where somebody looks.

An input, an output, an expected output or metadata travels as `evalrpc.v1.Json.text`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict

from evalrpc.v1 import json_pb2


class RawJson(str):
    """JSON text that is sent byte for byte instead of being encoded again.

    Keeps digits that a Python float would lose, and tells JSON `null` from "not given": an item with
    `"expected_output": RawJson("null")` expects null, one with `"expected_output": None` expects nothing in particular.
    """

    __slots__ = ()


def encode(value: object, default: Callable[[Any], Any] | None = None) -> str:
    """Returns a Python value as JSON text (RFC 8259), compact and in its own script.

    Args:
        value: the value.
        default: returns what JSON has no form for in one that it has, or raises TypeError.

    Raises:
        ValueError: it holds NaN, an infinity, a cycle, or something that JSON has no form for.
    """
    if isinstance(value, RawJson):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=default)
    except TypeError as error:
        raise ValueError(f"is not JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None


def decode(text: str | None) -> Any:
    """Returns what a document says; None for an absent one, as for JSON `null`."""
    return None if text is None else json.loads(text)


def text_of(message: json_pb2.Json) -> str | None:
    """Returns a document's text, or None for one that holds nothing."""
    match message.WhichOneof("kind"):
        case "text":
            return message.text
        case "value":
            return encode(MessageToDict(message.value))
    return None
