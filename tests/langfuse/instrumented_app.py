"""A task as a user may have it: instrumented with OpenTelemetry, exporting to Langfuse by itself.

Run as a process; prints its address. Where the spans go is what the exporter's own variables say
(`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_HEADERS`).
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
tracer = trace.get_tracer("application")


async def answer(request: web.Request) -> web.Response:
    """Answers within spans that join the caller's trace."""
    context = propagator.extract(request.headers)
    with tracer.start_as_current_span("answer the question", context=context) as span:
        for key in ("evalrpc.experiment_name", "evalrpc.item_id"):
            span.set_attribute(f"baggage.{key}", str(baggage.get_baggage(key, context)))
        with tracer.start_as_current_span("chat") as generation:
            generation.set_attribute("gen_ai.request.model", "gpt-x")
            text = (await request.json())["input"]
    return web.json_response(f"so you ask {text}")


async def main() -> None:
    """Serves until the process is ended."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    app = web.Application()
    app.router.add_post("/task", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"application http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
