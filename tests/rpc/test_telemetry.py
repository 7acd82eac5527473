"""Whether spans and metrics tell the truth about how each RPC ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.interceptors.telemetry import RpcTelemetry
from evalrpc_server.rpc.settings import RpcSettings
from evalrpc_server.telemetry.providers import Telemetry
from tests.rpc.probe import DEADLINE, SERVICE, Probe, failing, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Ended(SpanProcessor):
    """Keeps the spans that have ended, and lets a test wait for them."""

    def __init__(self) -> None:
        self._spans: asyncio.Queue[ReadableSpan] = asyncio.Queue()

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.put_nowait(span)

    async def next(self) -> ReadableSpan:
        return await asyncio.wait_for(self._spans.get(), DEADLINE)


class Recorded:
    """A probe with all that was recorded of it."""

    def __init__(self, probe: Probe, spans: Ended, metrics: InMemoryMetricReader) -> None:
        self.probe = probe
        self.spans = spans
        self._metrics = metrics

    def points(self, name: str) -> list[Any]:
        data = self._metrics.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    async def code(self, kind: str) -> str:
        """Returns the code that the span and the metric of the one call there was agree on."""
        span = await self.spans.next()
        assert (span.name, span.kind) == (f"{SERVICE}/{kind}", SpanKind.SERVER)
        attributes = dict(span.attributes or {})
        [duration] = self.points("rpc.server.call.duration")
        assert isinstance(duration, HistogramDataPoint)
        assert (duration.count, dict(duration.attributes or {})["rpc.method"]) == (1, f"{SERVICE}/{kind}")
        [still_open] = self.points("evalrpc.rpc.open")
        assert isinstance(still_open, NumberDataPoint)
        assert still_open.value == 0
        code = attributes["rpc.response.status_code"]
        assert dict(duration.attributes or {})["rpc.response.status_code"] == code
        return str(code)


@asynccontextmanager
async def recording(
    settings: RpcSettings | None = None, **handlers: Callable[..., Any]
) -> AsyncIterator[Recorded]:
    spans, metrics = Ended(), InMemoryMetricReader()
    telemetry = Telemetry(span_processors=[spans], metric_readers=[metrics])
    stage = RpcTelemetry(telemetry.tracer_provider, telemetry.meter_provider)
    try:
        async with serving(settings=settings, telemetry=stage, guards=None, **handlers) as probe:
            yield Recorded(probe, spans, metrics)
    finally:
        await telemetry.aclose()


async def echo(request: StringValue, _context: object) -> StringValue:
    return request


async def echo_all(requests: AsyncIterator[StringValue], _context: object) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield request


async def test_a_call_that_succeeds_is_ok():
    async with recording(Unary=echo) as recorded:
        await recorded.probe.call("Unary")
        assert await recorded.code("Unary") == "OK"


async def test_a_stream_that_succeeds_is_ok():
    async with recording(Bidi=echo_all) as recorded:
        await recorded.probe.call("Bidi", "a", "b")
        assert await recorded.code("Bidi") == "OK"


async def abort(context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no")


async def abort_with_status(context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort_with_status(rpc_status.to_status(Status(code=9, message="no")))


async def refuse(_context: object) -> None:
    raise NotFoundError(Reason.EXPERIMENT_NOT_FOUND, "none")


async def break_down(_context: object) -> None:
    raise ValueError


ENDS = [
    (abort, "FAILED_PRECONDITION"),
    (abort_with_status, "FAILED_PRECONDITION"),
    (refuse, "NOT_FOUND"),
    (break_down, "INTERNAL"),
]


@pytest.mark.parametrize("kind", ["Unary", "ClientStream"])
@pytest.mark.parametrize(("end", "code"), ENDS)
async def test_a_failed_call_has_the_code_that_its_caller_got(
    end: Callable[[Any], Awaitable[None]], code: str, kind: str
):
    async def handler(_request: object, context: grpc.aio.ServicerContext[Any, Any]) -> StringValue:
        await end(context)
        return StringValue()

    async with recording(**{kind: handler}) as recorded:  # type: ignore[arg-type]  # the keys are kinds
        failed = await failing(recorded.probe.call(kind))
        assert failed.code.name == await recorded.code(kind) == code


@pytest.mark.parametrize("kind", ["ServerStream", "Bidi"])
@pytest.mark.parametrize(("end", "code"), ENDS)
async def test_a_stream_that_fails_midway_has_the_code_that_its_caller_got(
    end: Callable[[Any], Awaitable[None]], code: str, kind: str
):
    async def handler(
        _request: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[StringValue]:
        yield StringValue()
        await end(context)

    async with recording(**{kind: handler}) as recorded:  # type: ignore[arg-type]  # the keys are kinds
        failed = await failing(recorded.probe.call(kind))
        assert failed.code.name == await recorded.code(kind) == code


class Waiting:
    """Handlers that begin, say so, and never end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def unary(self, _request: object, _context: object) -> StringValue:
        self.begun.set()
        await asyncio.Event().wait()
        return StringValue()

    async def stream(self, _request: object, _context: object) -> AsyncIterator[StringValue]:
        yield StringValue()
        await self.unary(_request, _context)

    async def flood(self, _request: object, _context: object) -> AsyncIterator[StringValue]:
        self.begun.set()
        while True:
            yield StringValue(value="x" * 100_000)


@pytest.mark.parametrize(
    ("kind", "behaviour"),
    [
        ("Unary", "unary"),
        ("ClientStream", "unary"),
        ("ServerStream", "stream"),
        ("Bidi", "stream"),
        ("ServerStream", "flood"),
    ],
)
async def test_a_call_that_its_caller_gave_up_is_cancelled(kind: str, behaviour: str):
    waiting = Waiting()
    async with recording(**{kind: getattr(waiting, behaviour)}) as recorded:
        call = recorded.probe.begin(kind)
        await asyncio.wait_for(waiting.begun.wait(), DEADLINE)
        call.cancel()
        assert await recorded.code(kind) == "CANCELLED"


@pytest.mark.parametrize(("kind", "behaviour"), [("Unary", "unary"), ("ServerStream", "stream")])
async def test_a_call_whose_deadline_passed_exceeded_its_deadline(kind: str, behaviour: str):
    async with recording(**{kind: getattr(Waiting(), behaviour)}) as recorded:
        failed = await failing(recorded.probe.call(kind, seconds=0.2))
        assert failed.code.name == await recorded.code(kind) == "DEADLINE_EXCEEDED"


async def test_a_refused_call_is_recorded_too():
    async with recording(RpcSettings(listen="127.0.0.1:0", max_open_rpcs=0), Unary=echo) as recorded:
        await failing(recorded.probe.call("Unary"))
        assert await recorded.code("Unary") == "RESOURCE_EXHAUSTED"


async def test_only_failures_of_the_server_mark_a_span_as_an_error():
    async def by_name(request: StringValue, _context: object) -> StringValue:
        await (refuse if request.value == "caller" else break_down)(_context)
        return request

    async with recording(Unary=by_name) as recorded:
        await failing(recorded.probe.call("Unary", "caller"))
        span = await recorded.spans.next()
        assert span.status.status_code is StatusCode.UNSET
        await failing(recorded.probe.call("Unary", "server"))
        span = await recorded.spans.next()
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "INTERNAL"
        assert not span.events


async def test_a_span_joins_the_trace_of_its_caller():
    async with recording(Unary=echo) as recorded:
        await recorded.probe.call("Unary", metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
        span = await recorded.spans.next()
        assert span.parent is not None
        assert trace.format_trace_id(span.context.trace_id) == TRACE
        assert trace.format_span_id(span.parent.span_id) == PARENT


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01"])
async def test_a_wrong_traceparent_is_as_good_as_none(traceparent: str):
    async with recording(Unary=echo) as recorded:
        await recorded.probe.call("Unary", metadata=[("traceparent", traceparent)])
        assert (await recorded.spans.next()).parent is None


async def test_handlers_and_their_tasks_run_inside_the_span():
    inside: list[int] = []

    async def current() -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)

    async def handler(request: StringValue, _context: object) -> StringValue:
        await asyncio.create_task(current())
        return request

    async with recording(Unary=handler) as recorded:
        await recorded.probe.call("Unary")
        assert inside == [(await recorded.spans.next()).context.span_id]
        assert trace.get_current_span() is trace.INVALID_SPAN


async def test_method_names_of_the_callers_invention_share_one_name():
    async with recording(Unary=echo) as recorded:
        for number in range(5):
            call: Any = recorded.probe.channel.unary_unary(f"/invented/Method{number}")
            await failing(call(b""))
            assert (await recorded.spans.next()).name == "_OTHER"
        [point] = recorded.points("rpc.server.call.duration")
        assert point.count == 5


async def test_the_peer_is_named():
    async with recording(Unary=echo) as recorded:
        await recorded.probe.call("Unary")
        attributes = (await recorded.spans.next()).attributes or {}
        assert attributes["network.peer.address"] == "127.0.0.1"
        assert isinstance(attributes["network.peer.port"], int)
