"""Documents: `Json` messages from and to JSON text."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from google.protobuf import struct_pb2

from evalrpc.v1 import json_pb2
from evalrpc_server.domain.documents import (
    Document,
    InvalidDocumentError,
    JsonValue,
    document_from_text,
    document_from_value,
)

_EXACT = 2**53
_MAX_LEVELS = 25  # a level of JSON is up to three of protobuf, whose readers stop at 100


class Encoding(StrEnum):
    """How documents are sent."""

    VALUE = "value"
    TEXT = "text"


class _InexactError(Exception):
    """A `google.protobuf.Value` cannot carry the document exactly."""


def document_from_message(message: json_pb2.Json) -> Document:
    """Reads a document; whole numbers within ±2^53 in a `value` stay whole.

    Raises:
        InvalidDocumentError: neither kind is set, the text is no JSON, or a number is not finite.
        DocumentTooLargeError: it is above the limit.
    """
    match message.WhichOneof("kind"):
        case "text":
            return document_from_text(message.text)
        case "value":
            return document_from_value(_read(message.value))
        case _:
            raise InvalidDocumentError("must set either value or text")


def document_to_message(document: Document, encoding: Encoding) -> json_pb2.Json:
    """Writes a document; one that a `google.protobuf.Value` cannot carry exactly is sent as text."""
    message = json_pb2.Json()
    fill_document(message, document, encoding)
    return message


def fill_document(message: json_pb2.Json, document: Document, encoding: Encoding) -> None:
    """Writes a document into an empty message, as `document_to_message` does."""
    if encoding is Encoding.VALUE:
        try:
            _write(message.value, _decoder.decode(document), 0)
        except (_InexactError, msgspec.ValidationError, RecursionError):
            pass
        else:
            return
    message.text = document  # which clears what was written of a value


def normalized(value: JsonValue) -> JsonValue:
    """Returns what protobuf's JSON mapping gave, with whole numbers whole and members in a fixed order, as in documents."""
    if isinstance(value, dict):
        return {key: normalized(entry) for key, entry in sorted(value.items())}
    if isinstance(value, list):
        return [normalized(entry) for entry in value]
    return _number(value) if isinstance(value, float) else value


def _read(value: struct_pb2.Value) -> JsonValue:
    match value.WhichOneof("kind"):
        case "null_value":
            return None
        case "number_value":
            return _number(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            # A protobuf map has no order of its own; a fixed one keeps the same input the same text, and so its id.
            return {key: _read(entry) for key, entry in sorted(value.struct_value.fields.items())}
        case "list_value":
            return [_read(entry) for entry in value.list_value.values]
        case _:
            raise InvalidDocumentError("holds a google.protobuf.Value of no kind")


def _number(number: float) -> int | float:
    if not math.isfinite(number):
        raise InvalidDocumentError("holds NaN or Infinity, which JSON does not have")
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _write(target: struct_pb2.Value, value: Any, level: int) -> None:
    """Fills a message in place: one that is built first and put into another is copied, once a level."""
    if isinstance(value, str):
        target.string_value = value
    elif value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        if abs(value) > _EXACT:
            raise _InexactError
        target.number_value = value
    elif level >= _MAX_LEVELS:
        raise _InexactError
    elif isinstance(value, list):
        target.list_value.SetInParent()
        add = target.list_value.values.add
        for entry in value:
            _write(add(), entry, level + 1)
    else:
        target.struct_value.SetInParent()
        fields = target.struct_value.fields
        for key, entry in value.items():
            _write(fields[key], entry, level + 1)


def _exact_float(text: str) -> float:
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise _InexactError
    return number


_decoder = msgspec.json.Decoder(float_hook=_exact_float)
