"""The part of OTLP's protobuf encoding that traces need, written by hand.

An item's spans share most of their attributes, so the encoded bytes of these are made once and put into each span. Field
numbers are those of opentelemetry-proto's `trace/v1/trace.proto`, `common/v1/common.proto`, `resource/v1/resource.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

STATUS_ERROR = 2
"""`Status.STATUS_CODE_ERROR`."""

AttributeValue = str | bool | int | float | Sequence[str]

_SMALL = tuple(
    bytes((number,)) if number < 0x80 else bytes((number & 0x7F | 0x80, number >> 7))
    for number in range(0x4000)
)
_fixed64 = struct.Struct("<Q").pack
_double = struct.Struct("<d").pack


def varint(number: int) -> bytes:
    """Encodes a non-negative number."""
    if number < 0x4000:
        return _SMALL[number]
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def field(tag: bytes, content: bytes) -> bytes:
    """Encodes a length-delimited field."""
    return b"".join((tag, varint(len(content)), content))


def key(name: str) -> bytes:
    """Encodes an attribute's key, for use with `text`."""
    return field(b"\x0a", name.encode("utf-8"))


def text(name: bytes, value: str) -> bytes:
    """Encodes a span's string attribute. `name` is an encoded `key`."""
    content = value.encode("utf-8", "replace")
    size = varint(len(content))
    inner = 1 + len(size) + len(content)
    prefix = varint(inner)
    total = varint(len(name) + 1 + len(prefix) + inner)
    return b"".join((b"\x4a", total, name, b"\x12", prefix, b"\x0a", size, content))


def attribute(name: str, value: AttributeValue, *, tag: bytes = b"\x4a") -> bytes:
    """Encodes an attribute of any type.

    Args:
        name: the key.
        value: text, a truth value, a number, or a list of texts.
        tag: of the field that holds attributes; by default that of a span.
    """
    return field(tag, key(name) + field(b"\x12", _any_value(value)))


def _any_value(value: AttributeValue) -> bytes:
    if isinstance(value, str):
        return field(b"\x0a", value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    return field(b"\x2a", b"".join(field(b"\x0a", _any_value(entry)) for entry in value))


def event(name: str, time: int, attributes: Mapping[str, AttributeValue]) -> bytes:
    """Encodes a span's event; `time` is in nanoseconds since 1970."""
    content = [b"\x09", _fixed64(time), field(b"\x12", name.encode("utf-8"))]
    content += [attribute(name, value, tag=b"\x1a") for name, value in attributes.items()]
    return field(b"\x5a", b"".join(content))


def span(
    *,
    trace_id: bytes,
    span_id: bytes,
    parent_id: bytes,
    name: str,
    start: int,
    end: int,
    parts: Iterable[bytes],
    error: str | None = None,
) -> bytes:
    """Encodes a span as an entry of `ScopeSpans`.

    Args:
        trace_id: 16 bytes.
        span_id: 8 bytes.
        parent_id: 8 bytes, or none for a root.
        name: of the span.
        start: nanoseconds since 1970.
        end: nanoseconds since 1970.
        parts: encoded attributes and events.
        error: the message of an error status; None for no status.
    """
    content = [b"\x0a\x10", trace_id, b"\x12\x08", span_id]
    if parent_id:
        content += (b"\x22\x08", parent_id)
    encoded = name.encode("utf-8", "replace")
    content += (
        b"\x2a",
        varint(len(encoded)),
        encoded,
        b"\x30\x01\x39",
        _fixed64(start),
        b"\x41",
        _fixed64(end),
    )
    content += parts
    if error is not None:
        message = error.encode("utf-8", "replace")
        content.append(field(b"\x7a", field(b"\x12", message) + b"\x18\x02"))
    body = b"".join(content)
    return b"".join((b"\x12", varint(len(body)), body))


class Envelope:
    """What stands around the spans of an export: the resource and the scope.

    Args:
        resource: attributes of the resource.
        scope: name of the instrumentation scope.
        version: of the scope.
    """

    def __init__(self, resource: Mapping[str, AttributeValue], *, scope: str, version: str) -> None:
        attributes = b"".join(attribute(name, value, tag=b"\x0a") for name, value in resource.items())
        self._resource = field(b"\x0a", attributes)
        names = field(b"\x0a", scope.encode("utf-8")) + field(b"\x12", version.encode("utf-8"))
        self._scope = field(b"\x0a", names)

    def wrap(self, spans: Sequence[bytes]) -> list[bytes]:
        """Returns the pieces of an `ExportTraceServiceRequest` that holds encoded spans."""
        size = sum(map(len, spans)) + len(self._scope)
        scope_spans = b"\x12" + varint(size) + self._scope
        head = b"\x0a" + varint(len(self._resource) + len(scope_spans) - len(self._scope) + size)
        return [head, self._resource, scope_spans, *spans]
