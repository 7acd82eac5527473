"""JSON documents as text.

A document travels through the server as the JSON text that its author sent, so that it stays exact to the last digit,
and is parsed only where its value is needed.
"""

from __future__ import annotations

from typing import Any, NewType, TypeAlias

import msgspec

Document = NewType("Document", str)
"""The JSON text of one value, known to be well-formed."""

JsonValue: TypeAlias = Any
"""What a document parses to: None, bool, int, float, str, or a list or dict of these."""

MAX_DOCUMENT_BYTES = 1024 * 1024
"""The largest document, in bytes of UTF-8."""

_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_encode = msgspec.json.Encoder().encode


class InvalidDocumentError(ValueError):
    """The text is no JSON document. The message says why and never quotes the content."""


class DocumentTooLargeError(InvalidDocumentError):
    """The document is above `MAX_DOCUMENT_BYTES`.

    Attributes:
        size_bytes: the size that was refused.
    """

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"is {size_bytes} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes")
        self.size_bytes = size_bytes


def document_from_text(text: str | bytes) -> Document:
    """Checks JSON text and returns it unchanged as a document.

    Raises:
        DocumentTooLargeError: the text is above `MAX_DOCUMENT_BYTES`.
        InvalidDocumentError: the text is not JSON (NaN and Infinity are not), or is nested too deep to read.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(len(raw))
    try:
        _raw_decoder.decode(raw)
        return Document(raw.decode("utf-8"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocumentError(_explain(error)) from None


def document_from_value(value: JsonValue) -> Document:
    """Writes a parsed JSON value as a compact document.

    Raises:
        DocumentTooLargeError: the text is above `MAX_DOCUMENT_BYTES`.
        InvalidDocumentError: the value holds something that JSON cannot carry, or is nested too deep.
    """
    try:
        raw = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidDocumentError(_explain(error)) from None
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(len(raw))
    return Document(raw.decode("utf-8"))


def parse_document(document: Document) -> JsonValue:
    """Returns the value of a document."""
    return msgspec.json.decode(document)


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return "is not valid UTF-8"
    if isinstance(error, msgspec.DecodeError):
        return f"is not valid JSON ({error})"
    return "cannot be written as JSON"
