"""The hand-written encoding, read back by OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from evalrpc_server.langfuse import otlp
from evalrpc_server.langfuse.otlp import Envelope

TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = TEXT | st.booleans() | NUMBERS | st.lists(TEXT, max_size=5)
TIMES = st.integers(0, 2**63)


def read(pieces: list[bytes]) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(b"".join(pieces))


def values(pairs: Any) -> dict[str, Any]:
    return {pair.key: value(pair.value) for pair in pairs}


def value(message: Any) -> Any:
    kind = message.WhichOneof("value")
    if kind == "array_value":
        return [value(entry) for entry in message.array_value.values]
    return getattr(message, kind)


@given(
    name=TEXT,
    start=TIMES,
    end=TIMES,
    attributes=st.dictionaries(TEXT, VALUES, max_size=8),
    texts=st.dictionaries(TEXT, TEXT, max_size=8),
    error=st.none() | TEXT,
    parent=st.sampled_from([b"", b"12345678"]),
)
def test_what_is_encoded_is_read(name, start, end, attributes, texts, error, parent):
    encoded = otlp.span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_id=parent,
        name=name,
        start=start,
        end=end,
        parts=[
            *(otlp.attribute(key, value) for key, value in attributes.items()),
            *(otlp.text(otlp.key(f"text.{key}"), value) for key, value in texts.items()),
            otlp.event("happened", start, attributes),
        ],
        error=error,
    )
    envelope = Envelope({"service.name": "evalrpc"}, scope="scope", version="1.2")
    (resource_spans,) = read(envelope.wrap([encoded, encoded])).resource_spans
    assert values(resource_spans.resource.attributes) == {"service.name": "evalrpc"}
    (scope_spans,) = resource_spans.scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("scope", "1.2")
    first, second = scope_spans.spans
    assert first == second
    assert (first.trace_id, first.span_id, first.parent_span_id) == (b"t" * 16, b"s" * 8, parent)
    assert (first.name, first.start_time_unix_nano, first.end_time_unix_nano) == (name, start, end)
    assert values(first.attributes) == attributes | {f"text.{key}": text for key, text in texts.items()}
    (event,) = first.events
    assert (event.name, event.time_unix_nano, values(event.attributes)) == ("happened", start, attributes)
    assert (first.status.code, first.status.message) == ((0, "") if error is None else (2, error))


@given(st.integers(0, 2**70))
def test_lengths_of_any_size(number):
    encoded, read_back = otlp.varint(number), 0
    for shift, byte in enumerate(encoded):
        read_back |= (byte & 0x7F) << (7 * shift)
    assert read_back == number
    assert all(byte & 0x80 for byte in encoded[:-1])


def test_a_lone_surrogate_does_not_break_a_batch():
    encoded = otlp.span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_id=b"",
        name="a\ud800",
        start=1,
        end=2,
        parts=[otlp.text(otlp.key("k"), "\udfff!")],
        error="\ud800",
    )
    content = gzip.decompress(gzip.compress(b"".join(Envelope({}, scope="s", version="").wrap([encoded]))))
    span = ExportTraceServiceRequest.FromString(content).resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, values(span.attributes), span.status.message) == ("a?", {"k": "?!"}, "?")
