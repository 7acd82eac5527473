"""A run, as an iterator."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
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


class Stream(Protocol):
    """A call whose answers each carry an event."""

    def __iter__(self) -> Iterator[Response]:
        """Returns the answers."""
        ...

    def cancel(self) -> bool:
        """Ends the call."""
        ...


class Run:
    """The events of an experiment, each once, however often the connection breaks.

    Iterate over it to follow the experiment, ask `result()` for its end, or do both. Nothing is sent before. Leaving the
    iteration, or a `with` block, closes the stream; the experiment itself runs on.
    """

    def __init__(
        self,
        state: RunState,
        *,
        address: str,
        prepare: Callable[[], None] | None,
        open_stream: Callable[[RunState], Stream],
        fetch_result: Callable[[str], ExperimentResult],
        hosting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Is made by `Client.run()` and `Client.watch()`."""
        self._state = state
        self._address = address
        self._prepare = prepare
        self._open_stream = open_stream
        self._fetch_result = fetch_result
        self._hosting = hosting
        self._events: Generator[Event] | None = None

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

    def result(self) -> ExperimentResult:
        """Follows the experiment to its end and returns what became of it.

        Raises:
            EvalrpcError: as the iteration does.
        """
        for _ in self:
            pass
        result = self._state.result()
        if result is not None:
            return result
        return self._fetch_result(self.experiment_id or "")

    def close(self) -> None:
        """Closes the stream. The experiment runs on."""
        if self._events is not None:
            self._events.close()

    def __iter__(self) -> Iterator[Event]:
        """Returns the iterator over the events that were not seen yet.

        Raises:
            EvalrpcError: the experiment was not accepted, or the stream broke off for too long. Iterate again to go on.
        """
        if self._events is None:
            self._events = self._follow()
        return self._events

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> Generator[Event]:
        resumption = self._state.resumption
        try:
            if self._prepare is not None:
                self._prepare()
                self._prepare = None
            with self._hosting():
                while not resumption.finished:
                    failure: EvalrpcError | None = None
                    stream: Stream | None = None
                    try:
                        stream = self._open_stream(self._state)
                        for response in stream:
                            event = self._state.take(response.event)
                            if event is not None:
                                yield event
                    except grpc.RpcError as error:
                        failure = error_from_call(error, self._address)
                    except UnavailableError as error:
                        failure = error
                    finally:
                        if stream is not None:
                            stream.cancel()
                    if not resumption.finished:
                        time.sleep(resumption.delay(failure))
        finally:
            self._events = None
