"""Times, durations and other small values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp


def to_datetime(message: Timestamp) -> datetime:
    """Returns a time in UTC, to the microsecond."""
    return datetime.fromtimestamp(message.seconds, UTC).replace(microsecond=message.nanos // 1000)


def to_seconds(message: Duration) -> float:
    """Returns a duration in seconds."""
    return message.seconds + message.nanos / 1e9


def to_dict(message: Struct) -> dict[str, Any]:
    """Returns a Struct as a dict in which whole numbers are integers."""
    return MessageToDict(message)
