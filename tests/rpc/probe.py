"""A service of which each test gives the handlers, on a real server, with a channel to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from evalrpc_server.rpc.interceptors.chain import Stage
from evalrpc_server.rpc.server import RpcServer, Service
from evalrpc_server.rpc.settings import RpcSettings

SERVICE = "probe.v1.Probe"
DEADLINE = 30.0
"""Seconds within which whatever a test waits for has to happen."""

KINDS = ("Unary", "ServerStream", "ClientStream", "Bidi")
_MAKERS: dict[str, Callable[..., Any]] = {
    "Unary": grpc.unary_unary_rpc_method_handler,
    "ServerStream": grpc.unary_stream_rpc_method_handler,
    "ClientStream": grpc.stream_unary_rpc_method_handler,
    "Bidi": grpc.stream_stream_rpc_method_handler,
}


@dataclass(frozen=True)
class Probe:
    """A running server with the probe service on it, and its callers' side."""

    server: RpcServer
    address: str
    channel: grpc.aio.Channel

    def method(self, kind: str, *, raw: bool = False) -> Any:
        """Returns the callable of a method; `raw` sends and receives bytes."""
        calls: dict[str, Callable[..., Any]] = {
            "Unary": self.channel.unary_unary,
            "ServerStream": self.channel.unary_stream,
            "ClientStream": self.channel.stream_unary,
            "Bidi": self.channel.stream_stream,
        }
        if raw:
            return calls[kind](f"/{SERVICE}/{kind}")
        return calls[kind](
            f"/{SERVICE}/{kind}",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )

    def begin(self, kind: str, *texts: str, seconds: float = DEADLINE, **options: Any) -> Any:
        """Calls a method with some texts and returns the call."""
        requests = [StringValue(value=text) for text in texts or ("",)]
        streaming = kind in {"ClientStream", "Bidi"}
        return self.method(kind)(iter(requests) if streaming else requests[0], timeout=seconds, **options)

    async def call(self, kind: str, *texts: str, seconds: float = DEADLINE, **options: Any) -> list[str]:
        """Calls a method with some texts and returns those that it answered."""
        call = self.begin(kind, *texts, seconds=seconds, **options)
        if kind in {"ServerStream", "Bidi"}:
            return [response.value async for response in call]
        return [(await call).value]


@asynccontextmanager
async def serving(
    *,
    settings: RpcSettings | None = None,
    telemetry: Stage | None = None,
    guards: Sequence[Stage] | None = None,
    **handlers: Callable[..., Any],
) -> AsyncIterator[Probe]:
    """Serves the probe service with handlers given by the kind of method, as in `Unary=...`."""

    def register(server: grpc.aio.Server) -> None:
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    SERVICE,
                    {
                        kind: _MAKERS[kind](
                            handler,
                            request_deserializer=StringValue.FromString,
                            response_serializer=StringValue.SerializeToString,
                        )
                        for kind, handler in handlers.items()
                    },
                )
            ]
        )

    server = RpcServer(
        [Service(SERVICE, register)],
        settings or RpcSettings(listen="127.0.0.1:0"),
        telemetry=telemetry,
        guards=guards or (),
    )
    address = await server.start()
    try:
        async with grpc.aio.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            yield Probe(server, address, channel)
    finally:
        await server.stop(0)


@dataclass(frozen=True)
class Failure:
    """What a caller learns of a failed call."""

    code: grpc.StatusCode
    message: str
    status: Status | None

    @property
    def info(self) -> ErrorInfo:
        return self._detail(ErrorInfo())

    @property
    def bad_request(self) -> BadRequest:
        return self._detail(BadRequest())

    @property
    def retry(self) -> RetryInfo:
        return self._detail(RetryInfo())

    def _detail(self, message: Any) -> Any:
        assert self.status is not None, f"{self.code}: {self.message}: no details"
        found = [detail for detail in self.status.details if detail.Unpack(message)]
        assert len(found) == 1
        return message

    @property
    def text(self) -> str:
        """Everything that the caller got, as text."""
        return f"{self.message} {self.status}"


def failure(error: grpc.aio.AioRpcError) -> Failure:
    """Returns what a caller learns of an error."""
    return Failure(error.code(), error.details() or "", rpc_status.from_call(error))  # type: ignore[arg-type]  # it has the interface


async def failing(awaitable: Any) -> Failure:
    """Waits for a call that has to fail, and returns how it did."""
    try:
        result = await asyncio.wait_for(awaitable, DEADLINE)
    except grpc.aio.AioRpcError as error:
        return failure(error)
    raise AssertionError(f"succeeded with {result!r}")
