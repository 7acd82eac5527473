"""Texts that callers give to find something by, or to keep something under."""

from __future__ import annotations

from evalrpc_server.domain.errors import InvalidRequestError, Violation

MAX_REQUEST_ID = 255
"""Characters of a request id."""

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


def required_id(experiment_id: str) -> str:
    """Returns the id of an experiment that a request names.

    Raises:
        InvalidRequestError: it is empty, or holds NUL.
    """
    if not experiment_id:
        raise InvalidRequestError([Violation("id", "is required: the id that StartExperiment returned")])
    return checked_key(experiment_id, "id")
