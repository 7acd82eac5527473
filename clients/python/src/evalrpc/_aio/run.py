"""A run, as an asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

import grpc

from evalrpc._errors import EvalrpcError, UnavailableError, error_from_call
from evalrpc._model.event import Event
from evalrpc._model.experiment import Experiment
from evalrpc._model.result import ExperimentResult
from evalrpc._run import RunState
from evalrpc.v1 import event_pb2


class Response(Protocol):
    """An answer that carries an event."""

    @property
    def event(self) -> event_pb2.ExperimentEvent:
        """The event."""
        ...


class AsyncStream(Protocol):
    """A call whose answers each carry an event."""

    def __aiter__(self) -> AsyncIterator[Response]:
        """Returns the answers."""
        ...

    def cancel(self) -> bool:
        """Ends the call."""
        ...


class AsyncRun:
    """The events of an experiment, each once, however often the connection breaks.

    Iterate over it to follow the experiment, ask `result()` for its end, or do both. Nothing is sent before. Leaving the
    iteration, or an `async with` block, closes the stream; the experiment itself runs on.
    """

    def __init__(
        self,
        state: RunState,
        *,
        address: str,
        prepare: Callable[[], Awaitable[None]] | None,
        open_stream: Callable[[RunState], AsyncStream],
        fetch_result: Callable[[str], Awaitable[ExperimentResult]],
        hosting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        """Is made by `AsyncClient.run()` and `AsyncClient.watch()`."""
        self._state = state
        self._address = address
        self._prepare = prepare
        self._open_stream = open_stream
        self._fetch_result = fetch_result
        self._hosting = hosting
        self._events: AsyncGenerator[Event] | None = None

    @property
    def experiment_id(self) -> str | None:
        """The experiment's id; None until the server has told it, which its first event does."""
        return self._state.resumption.experiment_id

    @property
    def experiment(self) -> Experiment | None:
        """The experiment as its last event told it; None before the first."""
        return self._state.experiment

    @property
    def last_sequence(self) -> int:
        """The sequence of the last event; `watch(..., after_sequence=...)` goes on behind it."""
        return self._state.resumption.sequence

    async def result(self) -> ExperimentResult:
        """Follows the experiment to its end and returns what became of it.

        Raises:
            EvalrpcError: as the iteration does.
        """
        async for _ in self:
            pass
        result = self._state.result()
        if result is not None:
            return result
        return await self._fetch_result(self.experiment_id or "")

    async def aclose(self) -> None:
        """Closes the stream. The experiment runs on."""
        if self._events is not None:
            await self._events.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Returns the iterator over the events that were not seen yet.

        Raises:
            EvalrpcError: the experiment was not accepted, or the stream broke off for too long. Iterate again to go on.
        """
        if self._events is None:
            self._events = self._follow()
        return self._events

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _follow(self) -> AsyncGenerator[Event]:
        resumption = self._state.resumption
        try:
            if self._prepare is not None:
                await self._prepare()
                self._prepare = None
            async with self._hosting():
                while not resumption.finished:
                    failure: EvalrpcError | None = None
                    stream: AsyncStream | None = None
                    try:
                        stream = self._open_stream(self._state)
                        async for response in stream:
                            event = self._state.take(response.event)
                            if event is not None:
                                yield event
                    except asyncio.CancelledError:
                        if _cancelling():
                            raise
                        failure = UnavailableError("the call was cancelled on the way", code="CANCELLED")
                    except grpc.aio.AioRpcError as error:
                        failure = error_from_call(error, self._address)
                    except UnavailableError as error:
                        failure = error
                    finally:
                        if stream is not None:
                            stream.cancel()
                    if not resumption.finished:
                        await asyncio.sleep(resumption.delay(failure))
        finally:
            self._events = None


def _cancelling() -> bool:
    """Tells whether this task is asked to stop; grpc.aio raises CancelledError also when the other side cancels."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
