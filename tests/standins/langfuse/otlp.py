"""OTLP trace exports, as protobuf or JSON: decoding, and the refusals of the whole batch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.standins.langfuse.answers import Json, Refused

Attributes = dict[str, Any]  # values are str, bool, int, float or lists and maps of them


class Event(msgspec.Struct, frozen=True):
    """An event inside a span."""

    name: str
    time: int
    attributes: Attributes


class Span(msgspec.Struct, frozen=True):
    """One span as it came over the wire; times are nanoseconds since the epoch, ids lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    status_code: int
    status_message: str
    attributes: Attributes
    resource: Attributes
    scope: str
    scope_version: str
    scope_attributes: Attributes
    events: list[Event]


def refused(message: str) -> Refused:
    """The 400 that rejects a whole export."""
    return Refused(400, {"error": message})


def inflate(body: bytes, encoding: str | None) -> bytes:
    """Undo the request's ``Content-Encoding``; only gzip is known."""
    if not encoding or "gzip" not in encoding:
        return body
    try:
        return zlib.decompress(body, wbits=31)
    except zlib.error:
        raise refused("Failed to decompress request body") from None


def decode(body: bytes, content_type: str) -> list[Span]:
    """The spans of an uncompressed export.

    Raises:
        Refused: 400 for an unknown content type, an unreadable body, or one bad span among many.
    """
    kind = content_type.lower()
    if "application/x-protobuf" in kind:
        return list(_from_protobuf(_parse_protobuf(body)))
    if "application/json" in kind:
        try:
            return list(_from_json(msgspec.json.decode(body)))
        except msgspec.DecodeError:
            raise refused("Failed to parse OTel JSON Trace") from None
    raise refused("Invalid content type")


def span_ids(body: bytes, content_type: str) -> list[bytes]:
    """Trace and span id of every span joined into one key, without looking at anything else."""
    if "application/x-protobuf" in content_type.lower():
        request = _parse_protobuf(body)
        return [
            span.trace_id + span.span_id
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    return [bytes.fromhex(span.trace_id + span.span_id) for span in decode(body, content_type)]


def _parse_protobuf(body: bytes) -> ExportTraceServiceRequest:
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise refused("Failed to parse OTel Protobuf Trace") from None


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(entry) for entry in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def _attributes(pairs: Any) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _from_protobuf(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            scope_attributes = _attributes(scope.attributes)
            for span in scope_spans.spans:
                if len(span.trace_id) != 16 or len(span.span_id) != 8:
                    raise refused("Invalid OTel span: missing trace id or span id")
                yield Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex() or None,
                    span.name,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code,
                    span.status.message,
                    _attributes(span.attributes),
                    resource,
                    scope.name,
                    scope.version,
                    scope_attributes,
                    [Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events],
                )


def _list(holder: Json, name: str) -> list[Json]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise refused(f"Invalid OTel batch: {name} is not an array")
    return found


def _json_value(value: Json) -> Any:
    if not isinstance(value, dict) or not value:
        return None
    ((kind, content),) = tuple(value.items())[:1]
    if kind == "arrayValue":
        return [_json_value(entry) for entry in _list(content, "values")]
    if kind == "kvlistValue":
        return _json_attributes(content, "values")
    return int(content) if kind == "intValue" else content


def _json_attributes(holder: Json, name: str = "attributes") -> Attributes:
    return {pair["key"]: _json_value(pair.get("value")) for pair in _list(holder, name)}


def _from_json(document: Json) -> Iterator[Span]:
    for resource_spans in _list(document, "resourceSpans"):
        resource = _json_attributes(resource_spans.get("resource") or {})
        for scope_spans in _list(resource_spans, "scopeSpans"):
            scope = scope_spans.get("scope") or {}
            scope_attributes = _json_attributes(scope)
            for span in _list(scope_spans, "spans"):
                trace_id, span_id = span.get("traceId"), span.get("spanId")
                if (
                    not isinstance(trace_id, str)
                    or not isinstance(span_id, str)
                    or not (trace_id and span_id)
                ):
                    raise refused("Invalid OTel span: missing trace id or span id")
                status = span.get("status") or {}
                yield Span(
                    trace_id,
                    span_id,
                    span.get("parentSpanId") or None,
                    span.get("name", ""),
                    int(span.get("startTimeUnixNano", 0)),
                    int(span.get("endTimeUnixNano", 0)),
                    int(status.get("code", 0)),
                    status.get("message", ""),
                    _json_attributes(span),
                    resource,
                    scope.get("name", ""),
                    scope.get("version", ""),
                    scope_attributes,
                    [
                        Event(e.get("name", ""), int(e.get("timeUnixNano", 0)), _json_attributes(e))
                        for e in _list(span, "events")
                    ],
                )
