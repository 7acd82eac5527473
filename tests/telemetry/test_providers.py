"""What the standard OTEL_* variables make the server export, and that nothing is exported without them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from evalrpc_server.telemetry.providers import Telemetry, TelemetryError

DEADLINE = 30.0


class Collector:
    """An OTLP/HTTP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.traces: asyncio.Queue[ExportTraceServiceRequest] = asyncio.Queue()
        self.metrics: asyncio.Queue[ExportMetricsServiceRequest] = asyncio.Queue()

    async def take_traces(self, request: web.Request) -> web.Response:
        self.traces.put_nowait(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    async def take_metrics(self, request: web.Request) -> web.Response:
        self.metrics.put_nowait(ExportMetricsServiceRequest.FromString(await request.read()))
        return web.Response()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.add_routes(
        [web.post("/v1/traces", collector.take_traces), web.post("/v1/metrics", collector.take_metrics)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()


async def work(telemetry: Telemetry) -> None:
    """Leaves a span and a measurement."""
    with telemetry.tracer_provider.get_tracer("test").start_as_current_span("worked"):
        telemetry.meter_provider.get_meter("test").create_counter("test.work").add(1)
    await telemetry.aclose()


async def test_nothing_is_exported_unless_asked_for():
    before = set(threading.enumerate())
    telemetry = Telemetry()
    assert set(threading.enumerate()) == before
    assert not telemetry.tracer_provider.get_tracer("test").start_span("x").is_recording()
    await work(telemetry)


async def test_an_endpoint_is_enough_to_export_spans_and_metrics(monkeypatch: pytest.MonkeyPatch):
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        await work(Telemetry())
        spans = await asyncio.wait_for(collector.traces.get(), DEADLINE)
        assert spans.resource_spans[0].scope_spans[0].spans[0].name == "worked"
        sums = await asyncio.wait_for(collector.metrics.get(), DEADLINE)
        assert sums.resource_metrics[0].scope_metrics[0].metrics[0].name == "test.work"


async def test_a_signal_can_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        await work(Telemetry())
        await asyncio.wait_for(collector.metrics.get(), DEADLINE)
        assert collector.traces.empty()


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "evalrpc-server"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours,team=a"}, "ours"),
    ],
)
async def test_the_server_has_a_name(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str):
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    telemetry = Telemetry()
    telemetry.meter_provider.get_meter("test").create_counter("test.work").add(1)
    assert f'service_name="{name}"' in telemetry.prometheus()
    await telemetry.aclose()


async def test_disabling_the_sdk_disables_all_of_it(monkeypatch: pytest.MonkeyPatch):
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        telemetry = Telemetry()
        await work(telemetry)
        assert telemetry.prometheus().startswith("# Nothing is measured")
        assert collector.traces.empty()
        assert collector.metrics.empty()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ],
)
def test_a_variable_that_cannot_be_followed_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    with pytest.raises(TelemetryError, match=f"{variable}.*{value}"):
        Telemetry()


async def test_closing_ends_though_the_collector_does_not_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    await asyncio.wait_for(work(Telemetry()), DEADLINE)


async def test_the_global_providers_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    before = (trace.get_tracer_provider(), metrics.get_meter_provider())
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    telemetry = Telemetry()
    assert (trace.get_tracer_provider(), metrics.get_meter_provider()) == before
    await telemetry.aclose()
