"""JSON Pointer (RFC 6901): the address of a value inside a JSON document."""

from __future__ import annotations

import re

from evalrpc_server.domain.documents import JsonValue

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class PointerError(LookupError):
    """The document has no value at the pointer."""


def check_pointer(pointer: str) -> str:
    """Returns a well-formed pointer unchanged.

    Raises:
        ValueError: the text is not a JSON pointer; the message says how to mend it.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError("must be a JSON pointer (RFC 6901): begin with / as in /answer/0, or be empty")
    if _BAD_ESCAPE.search(pointer):
        raise ValueError("must be a JSON pointer (RFC 6901): write ~ as ~0, and / inside a key as ~1")
    return pointer


def resolve(value: JsonValue, pointer: str) -> JsonValue:
    """Returns the value that a well-formed pointer addresses; the empty pointer addresses the whole.

    Raises:
        PointerError: there is none.
    """
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise PointerError(pointer)
    return value
