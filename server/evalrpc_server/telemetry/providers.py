"""The server's own OpenTelemetry providers, set up by the standard OTEL_* variables.

Nothing is exported unless a variable asks for it, and no global provider is set: a library inside the process that
traces on its own (the Langfuse SDK does) stays apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import NoOpTracerProvider, TracerProvider

from evalrpc_server import __version__
from evalrpc_server.telemetry.prometheus import prometheus_text

SERVICE_NAME = "evalrpc-server"
"""What the server calls itself unless OTEL_SERVICE_NAME says otherwise."""

_CLOSE_SECONDS = 3.0


class TelemetryError(Exception):
    """An OTEL_* variable has a value that this server cannot follow; the message names it."""


class Telemetry:
    """Providers of spans and metrics, and the metrics as Prometheus text.

    Read from the environment: OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER and
    OTEL_METRICS_EXPORTER (`otlp`, `console` or `none`; by default `otlp` where OTEL_EXPORTER_OTLP_ENDPOINT, or that of the
    signal, is set, and else `none`), and all that the SDK and its OTLP exporter read: samplers, headers, intervals.

    Args:
        span_processors: get the spans besides what the environment asks for.
        metric_readers: read the metrics besides what the environment asks for.

    Raises:
        TelemetryError: a variable cannot be followed.
    """

    def __init__(
        self, *, span_processors: Sequence[SpanProcessor] = (), metric_readers: Sequence[MetricReader] = ()
    ) -> None:
        self._disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        resource = _resource()
        processors = [*span_processors]
        readers = [*metric_readers]
        if not self._disabled:
            processors += [BatchSpanProcessor(exporter) for exporter in _span_exporters()]
            readers += [PeriodicExportingMetricReader(exporter) for exporter in _metric_exporters()]
        self._scraped = InMemoryMetricReader()
        self._meters = SdkMeterProvider([self._scraped, *readers], resource, shutdown_on_exit=False)
        self._tracers: SdkTracerProvider | None = None
        if processors and not self._disabled:
            self._tracers = SdkTracerProvider(resource=resource, shutdown_on_exit=False)
            for processor in processors:
                self._tracers.add_span_processor(processor)

    @property
    def tracer_provider(self) -> TracerProvider:
        """Makes tracers; where nobody gets the spans, ones that cost nothing."""
        return self._tracers or NoOpTracerProvider()

    @property
    def meter_provider(self) -> MeterProvider:
        """Makes meters."""
        return self._meters

    def prometheus(self) -> str:
        """Returns all metrics in Prometheus' text format 0.0.4."""
        if self._disabled:
            return "# Nothing is measured, as OTEL_SDK_DISABLED is true.\n"
        return prometheus_text(self._scraped.get_metrics_data())

    async def aclose(self) -> None:
        """Exports what is left, within a few seconds, and stops."""
        closed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def close() -> None:
            if self._tracers is not None:
                self._tracers.shutdown()
            self._meters.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waits any more, and the loop has ended
                loop.call_soon_threadsafe(closed.set)

        # A thread of its own, which the end of the process does not wait for as it would for the loop's executor.
        threading.Thread(target=close, name="telemetry shutdown", daemon=True).start()
        try:
            await asyncio.wait_for(closed.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            return


def _resource() -> Resource:
    attributes = {"service.version": __version__, "service.instance.id": secrets.token_hex(8)}
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").replace(" ", ""):
        attributes["service.name"] = os.environ.get("OTEL_SERVICE_NAME") or SERVICE_NAME
    return Resource.create(attributes)


def _span_exporters() -> list[SpanExporter]:
    return [OTLPSpanExporter() if name == "otlp" else ConsoleSpanExporter() for name in _exporters("TRACES")]


def _metric_exporters() -> list[MetricExporter]:
    return [
        OTLPMetricExporter() if name == "otlp" else ConsoleMetricExporter() for name in _exporters("METRICS")
    ]


def _exporters(signal: str) -> list[str]:
    """Returns the names of the exporters that the environment asks for."""
    variable = f"OTEL_{signal}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    default = "otlp" if any(os.environ.get(endpoint) for endpoint in endpoints) else "none"
    names = {name.strip() for name in (os.environ.get(variable) or default).split(",")} - {"none", ""}
    if unknown := names - {"otlp", "console"}:
        raise TelemetryError(f"{variable} names {min(unknown)!r}; this server knows otlp, console and none")
    for protocol in ("OTEL_EXPORTER_OTLP_PROTOCOL", f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"):
        value = os.environ.get(protocol) or "http/protobuf"
        if "otlp" in names and value != "http/protobuf":
            raise TelemetryError(f"{protocol} is {value!r}; this server exports by http/protobuf only")
    return sorted(names)
