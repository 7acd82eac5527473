"""The one grpc interceptor: it leads every RPC, of all four kinds, through the same stages."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import partial
from typing import Any, NoReturn, Self, TypeAlias

import grpc
from msgspec import Struct

from evalrpc_server.domain.errors import RequestError, UnsupportedError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.context import Context
from evalrpc_server.rpc.interceptors.call import CURRENT, UNKNOWN_METHOD, Call

Stage: TypeAlias = Callable[[Call], AbstractAsyncContextManager[None]]
"""Goes around a call: refuses it by raising on the way in, and sees how it ended on the way out.

A handler's end shows as no exception, `grpc.aio.AbortError`, `CancelledError`, `GeneratorExit`, or, inside of the stage
that turns errors into statuses, as the error itself. No stage keeps an exception from the others.
"""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Chain(grpc.aio.ServerInterceptor):
    """Leads RPCs through stages, the first one outermost.

    Handlers are coroutines, or async generators where they stream. One that is neither is a method of a generated base
    class that nobody has overridden, and answers UNIMPLEMENTED; so do methods that the server does not have at all.

    Messages are decoded and encoded inside the stages, so that bytes which are no message end a call like any other
    error. When a caller goes away, the handler's generator is closed before the stages are left.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the handler of a method with the stages around it."""
        path = handler_call_details.method
        if (known := self._handlers.get(path)) is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            missing = _Method(UNKNOWN_METHOD, partial(_refuse, path, 'this server has no method "{}"'))
            return grpc.stream_unary_rpc_method_handler(partial(self._answer, missing))
        wrapped = self._handlers[path] = self._wrap(path.removeprefix("/"), handler)
        return wrapped

    def _wrap(self, name: str, handler: Handler) -> Handler:
        behaviour: Any = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        decode, encode = handler.request_deserializer or _same, handler.response_serializer or _same
        if inspect.isasyncgenfunction(behaviour):
            method = _Method(name, behaviour, decode, encode, streaming=handler.request_streaming)
            return make(partial(self._stream, method))
        if not inspect.iscoroutinefunction(behaviour):
            behaviour = partial(_refuse, name, 'this server does not implement "{}"')
        if handler.response_streaming:  # it writes to the context, which serializes
            method = _Method(name, behaviour, decode, streaming=handler.request_streaming)
            return make(partial(self._answer, method), response_serializer=encode)
        return make(
            partial(
                self._answer, _Method(name, behaviour, decode, encode, streaming=handler.request_streaming)
            )
        )

    async def _answer(self, method: _Method, request: Any, context: Context) -> Any:
        call = method.begin(context)
        async with AsyncExitStack() as stack:
            for stage in self._stages:
                await stack.enter_async_context(stage(call))
            response = await method.behaviour(method.received(call, request), context)
            call.sent += 1
            return method.encode(response)

    async def _stream(self, method: _Method, request: Any, context: Context) -> AsyncGenerator[Any]:
        call = method.begin(context)
        async with AsyncExitStack() as stack:
            for stage in self._stages:
                await stack.enter_async_context(stage(call))
            async with aclosing(method.behaviour(method.received(call, request), context)) as responses:
                async for response in responses:
                    call.sent += 1
                    yield method.encode(response)


def _same(message: Any) -> Any:
    return message


class _Method(Struct, frozen=True):
    """A method with its handler and codec; `streaming` says whether requests are a stream."""

    name: str
    behaviour: Callable[..., Any]
    decode: Callable[[bytes], Any] = _same
    encode: Callable[[Any], Any] = _same
    streaming: bool = True

    def begin(self, context: Context) -> Call:
        call = Call(self.name, context, dict(context.invocation_metadata() or ()), context.peer())
        CURRENT.set(call)
        return call

    def received(self, call: Call, request: Any) -> Any:
        """Returns the request, or an iterator of the requests, of which `request` are the bytes."""
        return _Requests(self, call, request) if self.streaming else self.decoded(call, request)

    def decoded(self, call: Call, raw: bytes) -> Any:
        call.received += 1
        try:
            return self.decode(raw)
        except Exception as error:
            raise RequestError(
                Reason.UNDECODABLE_REQUEST,
                f"the bytes received are no request of /{self.name}; is the caller's code made from the same contract?",
                method=f"/{self.name}",
            ) from error


class _Requests:
    """The messages of a stream of requests."""

    def __init__(self, method: _Method, call: Call, source: AsyncIterator[bytes]) -> None:
        self._method = method
        self._call = call
        self._source = source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            raw = await anext(self._source)
        except StopAsyncIteration:
            await self._confirm_end()
            raise
        return self._method.decoded(self._call, raw)

    async def _confirm_end(self) -> None:
        """Tells a stream that is complete from one that was cut off.

        grpc ends both in the same way, and cancels the handler of the latter only moments later: too late for one that
        takes the end for the caller's last word. An operation on a call that was cut off does not get through.
        """
        try:
            await self._call.context.send_initial_metadata(())
        except grpc.aio.UsageError:  # it was sent before
            return
        except grpc.aio.InternalError as error:
            raise asyncio.CancelledError from error


async def _refuse(path: str, sentence: str, _request: object, _context: object) -> NoReturn:
    method = path.removeprefix("/")[:256]
    raise UnsupportedError(Reason.NOT_IMPLEMENTED, sentence.format(method), feature=method)


_MAKERS: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
