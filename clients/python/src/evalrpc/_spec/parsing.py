"""Values of callers as messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from evalrpc._errors import Violation, invalid

M = TypeVar("M", bound=Message)
_UNKNOWN_FIELD = re.compile(
    r'has no field named "(?P<name>[^"]*)" at "(?P<place>[^"]*)"\.\s*Available Fields[^:]*: "\[(?P<known>.*)\]"'
)

_CAPITAL = re.compile("[A-Z]")

Seconds = float | timedelta


def parsed(value: object, message: M, path: str) -> M:
    """Fills an empty message from another of its kind, or from a mapping in the JSON form of the contract.

    Raises:
        InvalidRequestError: the mapping does not have the message's form.
        TypeError: it is neither.
    """
    if isinstance(value, type(message)):
        message.CopyFrom(value)
        return message
    if not isinstance(value, Mapping):
        raise TypeError(f"{path} must be a mapping or a {type(message).__name__}, not {_kind(value)}")
    try:
        ParseDict(dict(value), message)
    except (ParseError, RecursionError) as error:
        raise invalid([_violation(path, str(error))]) from None
    return message


def struct(value: Mapping[str, object], path: str) -> Struct:
    """Returns a mapping as a Struct.

    Raises:
        InvalidRequestError: a value has no form in JSON.
    """
    return parsed(value, Struct(), path)


def duration(value: Seconds) -> Duration:
    """Returns seconds, or a timedelta, as a Duration."""
    message = Duration()
    if isinstance(value, timedelta):
        message.FromTimedelta(value)
    else:
        message.FromNanoseconds(round(value * 1e9))
    return message


def timestamp(value: datetime) -> Timestamp:
    """Returns a time; one without a zone is taken as UTC."""
    message = Timestamp()
    message.FromDatetime(value if value.tzinfo is None else value.astimezone(UTC))
    return message


def _violation(path: str, problem: str) -> Violation:
    """Says in the contract's terms what the parser found."""
    match = _UNKNOWN_FIELD.search(problem)
    if match is None:
        return Violation(path, problem)
    inner = match["place"].partition(".")[2]
    where = ".".join(part for part in (path, inner, match["name"]) if part)
    known = _CAPITAL.sub(lambda letter: f"_{letter[0].lower()}", match["known"].replace("'", ""))
    return Violation(where, f"is unknown; the fields are {known}")


def _kind(value: object) -> str:
    return type(value).__name__
