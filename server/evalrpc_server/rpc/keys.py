"""Texts that callers give to find something by, or to keep something under."""

from __future__ import annotations

from evalrpc_server.domain.errors import InvalidRequestError, Violation

NO_NUL = "must not hold the character NUL"
"""What is wrong with a key that not every store can hold."""


def checked_key(key: str, path: str) -> str:
    """Returns a key that may be looked up.

    Raises:
        InvalidRequestError: it holds NUL.
    """
    if "\x00" in key:
        raise InvalidRequestError([Violation(path, NO_NUL)])
    return key
