"""Where functions run: plain ones in threads of their own, coroutines on a loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from evalrpc._worker.functions import HostedFunction
from evalrpc._worker.tracing import joined

Done = Callable[[Any, BaseException | None], None]
"""Is told what a function returned, or what it raised."""


class Execution:
    """One call of a function, which can be given up. A thread cannot be stopped: what it returns is not wanted then."""

    def __init__(self, loop: Callable[[], asyncio.AbstractEventLoop], done: Done) -> None:
        self._loop = loop
        self._done = done
        self._task: asyncio.Task[tuple[Any, BaseException | None]] | None = None
        self._on_loop = False
        self._cancelled = False

    def cancel(self) -> None:
        """Cancels a coroutine; leaves a thread alone."""
        self._cancelled = True
        if self._on_loop:
            with contextlib.suppress(RuntimeError):  # the loop was closed, and the coroutine with it
                self._loop().call_soon_threadsafe(self._cancel)

    def call(
        self, function: HostedFunction, arguments: Callable[[], Mapping[str, Any]], trace: Mapping[str, str]
    ) -> None:
        """Calls the function in this thread; a coroutine that it returns goes to the loop."""
        try:
            with joined(trace):
                answer = function.call(arguments())
        except BaseException as error:  # noqa: BLE001  whatever a user's function raises is its answer
            self._done(None, error)
            return
        if inspect.isawaitable(answer):
            starts = Starts(self._loop)
            self._schedule(_awaited(answer), trace, starts)
            starts.flush()
        else:
            self._done(answer, None)

    def begin(
        self,
        function: HostedFunction,
        arguments: Callable[[], Mapping[str, Any]],
        trace: Mapping[str, str],
        starts: Starts,
    ) -> None:
        """Calls a coroutine function on the loop, together with what else is to start there."""
        try:
            offered = arguments()
        except Exception as error:  # noqa: BLE001  a document that Python cannot read is the call's answer
            self._done(None, error)
            return

        async def called() -> Any:
            return await function.call(offered)

        self._schedule(called(), trace, starts)

    def _schedule(
        self, coroutine: Coroutine[Any, Any, Any], trace: Mapping[str, str], starts: Starts
    ) -> None:
        def refuse(error: BaseException) -> None:
            coroutine.close()
            self._done(None, error)

        self._on_loop = True
        starts.add(partial(self._start, coroutine, trace), refuse)

    def _start(self, coroutine: Coroutine[Any, Any, Any], trace: Mapping[str, str]) -> None:
        task = self._task = asyncio.ensure_future(_followed(coroutine, trace))

        def finish(_: object) -> None:
            coroutine.close()  # one that was cancelled before it began
            if task.cancelled():
                self._done(None, asyncio.CancelledError())
            else:
                self._done(*task.result())

        task.add_done_callback(finish)
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None and self._cancelled:
            self._task.cancel()


class Starts:
    """Coroutines that are about to start, handed to the loop together: to wake it costs more than to start one."""

    def __init__(self, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._loop = loop
        self._waiting: list[tuple[Callable[[], None], Callable[[BaseException], None]]] = []

    def add(self, start: Callable[[], None], refuse: Callable[[BaseException], None]) -> None:
        """Adds what starts one; `refuse` is called instead where the loop is closed."""
        self._waiting.append((start, refuse))

    def flush(self) -> None:
        """Hands them over."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            self._loop().call_soon_threadsafe(_run_all, [start for start, _ in waiting])
        except RuntimeError as error:  # the loop is closed
            for _, refuse in waiting:
                refuse(error)


def _run_all(callbacks: Sequence[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()


async def _awaited(answer: Any) -> Any:
    return await answer


async def _followed(
    coroutine: Coroutine[Any, Any, Any], trace: Mapping[str, str]
) -> tuple[Any, BaseException | None]:
    """Returns what a coroutine returned, or what it raised."""
    try:
        with joined(trace):
            return await coroutine, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001  whatever a user's function raises is its answer
        return None, error


class DaemonThreads:
    """Threads that run functions and never keep the process from ending.

    Args:
        most: how many there are at most; one is made when all others are busy.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, job: Callable[[], None]) -> None:
        """Has a thread do a job. To be called by one thread only."""
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and self._count < self._most:
            self._count += 1
            threading.Thread(target=self._work, name=f"evalrpc function {self._count}", daemon=True).start()

    def close(self) -> None:
        """Ends the threads that are idle, and the others after their job."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job
            self._idle.release()


class BackgroundLoop:
    """An event loop in a thread of its own, made when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> asyncio.AbstractEventLoop:
        """Returns the running loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._run, args=(self._loop,), name="evalrpc loop", daemon=True
                ).start()
            return self._loop

    def close(self) -> None:
        """Stops the loop once it has nothing to do at the moment."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
