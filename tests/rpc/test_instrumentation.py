"""Why the server brings its own telemetry: what `opentelemetry-instrumentation-grpc` gets wrong about grpc.aio.

Once one of these fails, the package has been mended in that respect, and can be considered again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.instrumentation import grpc as instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.rpc.probe import DEADLINE

RPC_CODE = "rpc.grpc.status_code"


class Handlers(grpc.GenericRpcHandler):
    """A method that waits, one that aborts, and one that streams and waits."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        match details.method:
            case "/probe/Wait":
                return grpc.unary_unary_rpc_method_handler(self.wait)
            case "/probe/Abort":
                return grpc.unary_unary_rpc_method_handler(self.abort)
            case _:
                return grpc.unary_stream_rpc_method_handler(self.stream)

    async def wait(self, _request: bytes, _context: Any) -> bytes:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return b""

    async def abort(self, _request: bytes, context: Any) -> bytes:
        await context.abort_with_status(rpc_status.to_status(Status(code=5, message="none")))
        return b""

    async def stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await self.wait(request, context)


class Recorded:
    """A server and a channel with the package's interceptors, and the spans that they have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.handlers = Handlers()
        package: Any = instrumentation
        self._server = grpc.aio.server(
            handlers=[self.handlers], interceptors=[package.aio_server_interceptor(tracer_provider=provider)]
        )
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._interceptors = package.aio_client_interceptors(tracer_provider=provider)

    def codes(self, kind: str) -> list[object]:
        """Returns the recorded codes of the calls of one side, "CLIENT" or "SERVER"."""
        spans = self._exporter.get_finished_spans()
        return [(span.attributes or {}).get(RPC_CODE) for span in spans if span.kind.name == kind]

    async def __aenter__(self) -> Self:
        await self._server.start()
        self.channel: Any = grpc.aio.insecure_channel(
            f"127.0.0.1:{self._port}", interceptors=self._interceptors
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self._server.stop(0)


async def test_the_server_side_takes_an_abort_with_a_status_for_a_success():
    async with Recorded() as recorded:
        with pytest.raises(grpc.aio.AioRpcError):
            await recorded.channel.unary_unary("/probe/Abort")(b"")
    assert recorded.codes("SERVER") == [0]  # the server has stopped, and its spans have ended
    assert recorded.codes("CLIENT") == [grpc.StatusCode.NOT_FOUND.value[0]]


async def test_the_client_side_loses_a_call_that_is_cancelled_and_lets_it_go_on():
    async with Recorded() as recorded:

        async def call() -> None:
            await recorded.channel.unary_unary("/probe/Wait")(b"")

        task = asyncio.create_task(call())
        await asyncio.wait_for(recorded.handlers.begun.wait(), DEADLINE)
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(grpc.aio.AioRpcError):
            await recorded.channel.unary_unary("/probe/Abort")(b"")
        assert recorded.codes("CLIENT") == [grpc.StatusCode.NOT_FOUND.value[0]]
        assert not recorded.handlers.ended.is_set()


async def test_the_client_side_loses_a_stream_that_is_cancelled():
    async with Recorded() as recorded:
        call = recorded.channel.unary_stream("/probe/Stream")(b"")
        async for _ in call:
            break
        call.cancel()
        await asyncio.wait_for(recorded.handlers.ended.wait(), DEADLINE)
        assert recorded.codes("CLIENT") == []
