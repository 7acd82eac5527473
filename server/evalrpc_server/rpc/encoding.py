"""How results and events are put into messages that every client can receive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeVar

from evalrpc.v1 import event_pb2, item_result_pb2, json_pb2
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.events import Event
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.experiments import event_to_message
from evalrpc_server.protobuf.results import result_to_message
from evalrpc_server.runner.feed import Published

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""What every gRPC client receives unless told otherwise."""

_LARGE = 128 * 1024
_ROOM = MAX_MESSAGE_BYTES - 64 * 1024

T = TypeVar("T")

_KNOWN_TO_THE_CALLER: tuple[Literal["metadata", "expected_output", "input"], ...] = (
    "metadata",
    "expected_output",
    "input",
)

_ENCODINGS = {
    json_pb2.JSON_ENCODING_UNSPECIFIED: Encoding.VALUE,
    json_pb2.JSON_ENCODING_VALUE: Encoding.VALUE,
    json_pb2.JSON_ENCODING_TEXT: Encoding.TEXT,
}


def encoding_from_number(number: json_pb2.JsonEncoding.ValueType) -> Encoding:
    """Returns the encoding that a request asks for.

    Raises:
        InvalidRequestError: the number is none of the enum's.
    """
    if number not in _ENCODINGS:
        raise InvalidRequestError(
            [Violation("json_encoding", "must be JSON_ENCODING_VALUE or JSON_ENCODING_TEXT")]
        )
    return _ENCODINGS[number]


async def converted(size: int, convert: Callable[[], T]) -> T:
    """Converts what a caller sent or gets; what is large (`size` in bytes or characters) in a thread.

    A megabyte of numbers as `google.protobuf.Value` takes a tenth of a second, in which nobody else would be served.
    """
    return await asyncio.to_thread(convert) if size > _LARGE else convert()


async def published_to_message(published: Published, encoding: Encoding) -> event_pb2.ExperimentEvent:
    """Writes an event, once for all its watchers."""
    known = published.forms.get(encoding)
    if isinstance(known, event_pb2.ExperimentEvent):
        return known
    body = published.event.body
    size = body.size if isinstance(body, ItemResult) else 0
    message = await converted(size, lambda: _fitting_event(published.event, encoding))
    published.forms[encoding] = message
    return message


def _fitting_event(event: Event, encoding: Encoding) -> event_pb2.ExperimentEvent:
    message = event_to_message(event, encoding)
    if message.ByteSize() > _ROOM:
        message = event_to_message(event, Encoding.TEXT)
        shorten(message.item_result)
    return message


def fitting_result(result: ItemResult, encoding: Encoding) -> item_result_pb2.ItemResult:
    """Writes a result so that it fits into one message."""
    message = result_to_message(result, encoding)
    if message.ByteSize() > _ROOM:
        message = result_to_message(result, Encoding.TEXT)
        shorten(message)
    return message


def shorten(message: item_result_pb2.ItemResult) -> None:
    """Leaves out what the caller knows already, until a result fits into one message."""
    for field in _KNOWN_TO_THE_CALLER:
        if message.ByteSize() > _ROOM:
            message.item.ClearField(field)
    while message.contexts and message.ByteSize() > _ROOM:
        del message.contexts[-1]
