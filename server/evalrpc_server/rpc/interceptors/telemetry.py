"""Stage: a span and a duration for every call, by OpenTelemetry's semantic conventions for RPC servers.

The conventions: https://opentelemetry.io/docs/specs/semconv/rpc/. `opentelemetry-instrumentation-grpc` has interceptors
of this kind, which are not used: on the server they record calls that end by `abort_with_status` or a caller's
cancellation as OK, and on the client they lose the span of a call that is cancelled, and let the call itself go on
(`tests/rpc/test_instrumentation.py`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import unquote

import grpc
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from evalrpc_server.logs import bind
from evalrpc_server.rpc.interceptors.call import Call, outcome

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_SCOPE = "evalrpc_server.rpc"
_PROPAGATOR = TraceContextTextMapPropagator()

_SERVER_ERRORS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""The codes that are a server's failure; the others are the caller's."""


class RpcTelemetry:
    """Records every call: a span, as a child of the caller's where `traceparent` names one, and metrics.

    Metrics: `rpc.server.call.duration` by method and code, and `evalrpc.rpc.open` by method.
    """

    def __init__(self, tracers: TracerProvider, meters: MeterProvider) -> None:
        self._tracer = tracers.get_tracer(_SCOPE)
        meter = meters.get_meter(_SCOPE)
        self._duration = meter.create_histogram(
            "rpc.server.call.duration",
            "s",
            "Measures the duration of an incoming Remote Procedure Call (RPC).",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._open = Counter[str]()
        meter.create_observable_gauge("evalrpc.rpc.open", [self._count], "{call}", "RPCs that are open.")

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        """Records one call."""
        method = {"rpc.system.name": "grpc", "rpc.method": call.method}
        parent = _PROPAGATOR.extract(
            {"traceparent": call.header("traceparent"), "tracestate": call.header("tracestate")}
        )
        span = self._tracer.start_span(call.method, parent, SpanKind.SERVER, method)
        if span.is_recording():
            span.set_attributes({"evalrpc.request_id": call.request_id, **_peer(call.peer)})
            bind(trace_id=trace.format_trace_id(span.get_span_context().trace_id))
        # Not detached: each RPC has a task of its own, and a generator may be closed in yet another one.
        otel_context.attach(trace.set_span_in_context(span, parent))
        begin = time.perf_counter()
        self._open[call.method] += 1
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            code = outcome(call, error)
            self._open[call.method] -= 1
            ended = {**method, "rpc.response.status_code": code.name}
            if code in _SERVER_ERRORS:
                ended["error.type"] = code.name
            self._duration.record(time.perf_counter() - begin, ended)
            _end(span, code)

    def _count(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"rpc.method": method}) for method, count in list(self._open.items())]


def _end(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.response.status_code", code.name)
    if code in _SERVER_ERRORS:
        span.set_attribute("error.type", code.name)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _peer(peer: str) -> dict[str, str | int]:
    """Returns the attributes of a peer that grpc calls like "ipv4:127.0.0.1:41330" or "ipv6:%5B::1%5D:41330"."""
    _, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return {"network.peer.address": address}
    return {"network.peer.address": host.strip("[]"), "network.peer.port": int(port)}
