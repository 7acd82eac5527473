"""Small values that many messages hold: times, durations, errors, usage, contexts."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf import duration_pb2, timestamp_pb2

from evalrpc.v1 import error_pb2, item_pb2
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Returns a time as a message, or None for none."""
    if time is None:
        return None
    message = timestamp_pb2.Timestamp()
    fill_timestamp(message, time)
    return message


def fill_timestamp(message: timestamp_pb2.Timestamp, time: datetime) -> None:
    """Writes a time into a message."""
    since = time - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1000


def time_from_message(message: timestamp_pb2.Timestamp) -> datetime:
    """Returns a time, to the microsecond.

    Raises:
        ValueError: it is before the year 1 or behind 9999.
    """
    return message.ToDatetime(UTC)


def duration(seconds: float) -> duration_pb2.Duration:
    """Returns non-negative seconds as a message, to the nanosecond."""
    message = duration_pb2.Duration()
    fill_duration(message, seconds)
    return message


def fill_duration(message: duration_pb2.Duration, seconds: float) -> None:
    """Writes non-negative seconds into a message, to the nanosecond."""
    message.seconds = whole = int(seconds)
    message.nanos = int((seconds - whole) * 1e9)


def seconds(message: duration_pb2.Duration) -> float:
    """Returns a duration in seconds."""
    return message.seconds + message.nanos / 1e9


def error_to_message(error: Error) -> error_pb2.Error:
    """Writes an error."""
    return error_pb2.Error(
        reason=error.reason, message=error.message, metadata=error.metadata, retryable=error.retryable
    )


def error_from_message(message: error_pb2.Error, default: Reason) -> Error:
    """Reads an error that a user's code reports; a reason that evalrpc does not know becomes `default`."""
    known = message.reason in Reason.__members__
    metadata = dict(message.metadata) if known else {**message.metadata, "reported_reason": message.reason}
    return Error(
        reason=Reason(message.reason) if known else default,
        message=message.message,
        metadata=metadata,
        retryable=message.retryable,
    )


def usage_to_message(usage: Usage | None) -> item_pb2.Usage | None:
    """Writes what a call consumed, or None for unknown."""
    if usage is None:
        return None
    return item_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        model=usage.model,
    )


def usage_from_message(message: item_pb2.Usage) -> Usage:
    """Reads what a call consumed."""
    return Usage(
        input_tokens=message.input_tokens if message.HasField("input_tokens") else None,
        output_tokens=message.output_tokens if message.HasField("output_tokens") else None,
        cost_usd=message.cost_usd if message.HasField("cost_usd") else None,
        model=message.model,
    )


def context_to_message(context: Context) -> item_pb2.Context:
    """Writes a passage."""
    return item_pb2.Context(text=context.text, id=context.id, source=context.source, score=context.score)


def context_from_message(message: item_pb2.Context) -> Context:
    """Reads a passage."""
    score = message.score if message.HasField("score") else None
    return Context(text=message.text, id=message.id, source=message.source, score=score)
