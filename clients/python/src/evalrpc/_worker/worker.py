"""The worker that users make."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar, overload

from evalrpc._connection import Tls, connection
from evalrpc._worker.calls import WorkerStatus
from evalrpc._worker.execution import BackgroundLoop
from evalrpc._worker.functions import Function, Functions, HostedFunction, Kind, all_hosted, hosted
from evalrpc._worker.host import Host

F = TypeVar("F", bound=Function)

DEFAULT_MAX_IN_FLIGHT = 64
DEFAULT_DRAIN_GRACE = 30.0


class Worker:
    """Hosts functions: connects out to the server, which calls them. No port is opened.

        worker = Worker("localhost:50051")

        @worker.task
        def answer(*, item, **kwargs):
            return my_app.ask(item["input"])

        worker.run()

    Specs refer to the functions by name: `worker_task("answer")`, `worker_evaluator("accuracy")`. Plain functions run in
    threads, coroutine functions on a loop; neither holds up the heartbeats. The worker connects again after a cut, and
    keeps what it is at meanwhile.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        tasks: Functions = (),
        evaluators: Functions = (),
        run_evaluators: Functions = (),
        max_in_flight: int = DEFAULT_MAX_IN_FLIGHT,
        worker_id: str | None = None,
        drain_grace: float = DEFAULT_DRAIN_GRACE,
        token: str | None = None,
        tls: Tls | bool = False,
    ) -> None:
        """Settles what to host and where; nothing is sent before the worker is started.

        Args:
            address: as of a `Client`.
            tasks: called with `item` and, if they take it, `trial`, `attempt`, `experiment`, `trace_context`.
            evaluators: called with those they take of `input`, `output`, `expected_output`, `metadata`, `evaluations`,
                `contexts`, `usage`, `task_duration`, `item_id`, `trial`, `experiment`, `trace_context`.
            run_evaluators: called with `item_results` and, if they take it, `experiment`.
            max_in_flight: how many calls are taken at once; plain functions get as many threads.
            worker_id: names the worker in `list_workers()`; made from host and process by default.
            drain_grace: seconds that calls get to finish when the worker is asked to end.
            token: as of a `Client`.
            tls: as of a `Client`.

        Raises:
            TypeError: a function does not take the keyword arguments of its kind.
            ValueError: two functions have the same name, or `max_in_flight` is not from 1 to 10,000.
            InvalidRequestError: the address is none.
            OSError: a file named by `tls` cannot be read.
        """
        if not 1 <= max_in_flight <= 10_000:
            raise ValueError(f"max_in_flight must be from 1 to 10,000, not {max_in_flight}")
        self._connection = connection(address, token=token, tls=tls)
        self._host: Host | None = None
        self._functions: dict[str, HostedFunction] = {}
        for functions, kind in (
            (tasks, Kind.TASK),
            (evaluators, Kind.EVALUATOR),
            (run_evaluators, Kind.RUN_EVALUATOR),
        ):
            for function in all_hosted(functions, kind):
                self._add(function)
        self._max_in_flight = max_in_flight
        self._drain_grace = drain_grace
        self._background = BackgroundLoop()
        self._thread: threading.Thread | None = None
        unique = os.urandom(3).hex()
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{unique}"

    # ---------------------------------------------------------------------------------------- what is hosted

    @overload
    def task(self, function: F, /) -> F: ...
    @overload
    def task(self, /, *, name: str) -> Callable[[F], F]: ...
    def task(self, function: F | None = None, /, *, name: str | None = None) -> Any:
        """Hosts the decorated function as a task, under its own name or another one."""
        return self._decorated(Kind.TASK, function, name)

    @overload
    def evaluator(self, function: F, /) -> F: ...
    @overload
    def evaluator(self, /, *, name: str) -> Callable[[F], F]: ...
    def evaluator(self, function: F | None = None, /, *, name: str | None = None) -> Any:
        """Hosts the decorated function as an evaluator of items, or as a composite evaluator."""
        return self._decorated(Kind.EVALUATOR, function, name)

    @overload
    def run_evaluator(self, function: F, /) -> F: ...
    @overload
    def run_evaluator(self, /, *, name: str) -> Callable[[F], F]: ...
    def run_evaluator(self, function: F | None = None, /, *, name: str | None = None) -> Any:
        """Hosts the decorated function as an evaluator of runs."""
        return self._decorated(Kind.RUN_EVALUATOR, function, name)

    # ------------------------------------------------------------------------------------------ how it runs

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then finishes what is in flight and returns. For the main thread.

        A second signal ends the worker at once.

        Raises:
            EvalrpcError: the server refuses the worker.
        """
        asked = threading.Event()

        def ask(_number: int, _frame: FrameType | None) -> None:
            if asked.is_set():
                self.stop()
            asked.set()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            host = self._running
            threading.Thread(target=_set_after, args=(host.ended, asked), daemon=True).start()
            asked.wait()
            self.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def serve(self) -> None:
        """Serves until cancelled, with coroutine functions on the running loop; then finishes what is in flight.

        Raises:
            EvalrpcError: the server refuses the worker.
        """
        self.start(asyncio.get_running_loop())
        ended = self._running.ended
        try:
            await asyncio.to_thread(ended.wait)
        finally:
            await asyncio.shield(asyncio.to_thread(self.close))

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Serves in the background; end it by `close()`.

        Args:
            loop: where coroutine functions run; a loop in a thread of its own by default.

        Raises:
            RuntimeError: the worker was started before.
            ValueError: it hosts nothing.
        """
        if self._host is not None:
            raise RuntimeError("the worker was started before; make another one")
        if not self._functions:
            raise ValueError("the worker hosts nothing: give it tasks or evaluators")
        self._host = Host(
            self._connection,
            self._functions,
            worker_id=self.worker_id,
            max_in_flight=self._max_in_flight,
            loop=self._background if loop is None else lambda: loop,
        )
        self._thread = threading.Thread(target=self._host.run, name="evalrpc worker", daemon=True)
        self._thread.start()

    def wait_until_connected(self, timeout: float | None = None) -> bool:
        """Waits until the server has welcomed the worker; returns whether it did so in time.

        Raises:
            EvalrpcError: the server refuses the worker.
        """
        return self._running.wait_until_connected(timeout)

    def close(self) -> None:
        """Takes nothing new, finishes what is in flight within the grace period, and ends.

        Raises:
            EvalrpcError: the server had refused the worker.
        """
        self._running.drain(self._drain_grace)
        self._finish()
        self._check()

    def stop(self) -> None:
        """Ends the worker at once; what is in flight goes to others when its lease has run out."""
        self._running.stop()
        self._finish()

    @property
    def status(self) -> WorkerStatus:
        """How the worker does."""
        host = self._running
        ledger = host.ledger
        return WorkerStatus(
            connected=host.connected.is_set(),
            draining=host.draining,
            in_flight=ledger.at_work,
            unacknowledged=ledger.unacknowledged,
            completed=ledger.completed,
            failed=ledger.failed,
            dropped=ledger.dropped,
            connections=host.connections,
        )

    def __enter__(self) -> Self:
        """Starts the worker and waits until it is connected."""
        self.start()
        self.wait_until_connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        """Starts the worker, with coroutine functions on the running loop, and waits until it is connected."""
        self.start(asyncio.get_running_loop())
        await asyncio.to_thread(self.wait_until_connected)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    @property
    def _running(self) -> Host:
        if self._host is None:
            raise RuntimeError("the worker was not started")
        return self._host

    def _finish(self) -> None:
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._background.close()

    def _check(self) -> None:
        if (error := self._running.error) is not None:
            raise error

    def _decorated(self, kind: Kind, function: F | None, name: str | None) -> Any:
        def decorate(function: F) -> F:
            self._add(hosted(function, kind, name))
            return function

        return decorate if function is None else decorate(function)

    def _add(self, function: HostedFunction) -> None:
        if self._host is not None:
            raise RuntimeError("the worker was started already; host functions before")
        if function.name in self._functions:
            raise ValueError(f"two functions are called {function.name!r}; give each a name of its own")
        self._functions[function.name] = function


def _set_after(first: threading.Event, second: threading.Event) -> None:
    first.wait()
    second.set()
