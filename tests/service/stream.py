"""A worker's stream as a test writes it, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from evalrpc.v1 import worker_messages_pb2, worker_pb2, worker_service_pb2
from tests.servers import Stubs
from tests.service.calls import SECONDS


class WorkerStream:
    """One call of Serve."""

    def __init__(self, stubs: Stubs) -> None:
        self._call: Any = stubs.workers.Serve()

    async def send(self, message: worker_service_pb2.ServeRequest) -> None:
        """Sends a message; one that the server does not wait for any more is lost."""
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def next(self, kind: str | None = None) -> worker_service_pb2.ServeResponse:
        """Waits for the next message, of a kind."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self._call.read()
                assert isinstance(message, worker_service_pb2.ServeResponse), "the stream has ended"
                if kind is None or message.WhichOneof("message") == kind:
                    return message

    async def error(self) -> grpc.aio.AioRpcError:
        """Waits for the error that ends the stream."""
        while True:
            try:
                await self.next()
            except grpc.aio.AioRpcError as error:
                return error

    async def drop(self) -> None:
        """Drops the stream."""
        self._call.cancel()
        await self._call.code()


def hello(
    worker_id: str, functions: Sequence[tuple[str, str]], *, max_in_flight: int = 10
) -> worker_service_pb2.ServeRequest:
    """Returns an introduction; functions are names and kinds."""
    return worker_service_pb2.ServeRequest(
        hello=worker_messages_pb2.Hello(
            worker_id=worker_id,
            functions=[
                worker_pb2.HostedFunction(
                    name=name, kind=worker_pb2.FunctionKind.Value(f"FUNCTION_KIND_{kind}")
                )
                for name, kind in functions
            ],
            max_in_flight=max_in_flight,
        )
    )
