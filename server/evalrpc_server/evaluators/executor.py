"""Runs CPU-bound evaluator functions off the event loop, many of them per hop.

Handing one call to a thread and waking the loop again costs more than most evaluators do. So calls that wait travel
together: a chunk of them goes to a `concurrent.futures.Executor` as one job, and each call gets its own outcome.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any, TypeVar, TypeVarTuple

from msgspec import Struct

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.evaluators.chunks import Crash, Function, Job, run_chunk, where
from evalrpc_server.evaluators.port import EvaluatorError

logger = logging.getLogger(__name__)


class WorkerDiedError(EvaluatorError):
    """The worker process that a call was with died, and so did the next."""


T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Call(Struct, eq=False):
    """A call that waits for its result. `alone`: its worker died once, so it is repeated by itself."""

    job: Job
    size: int
    waiter: asyncio.Future[Any]
    alone: bool = False
    chunk: _Chunk | None = None


class _Chunk(Struct, eq=False):
    """Calls that are with the executor."""

    calls: list[_Call]
    future: Future[list[Any]]


class ExecutorBatcher:
    """Collects calls from everywhere on one event loop and runs them in chunks on an executor.

    The first call after a pause leaves at once; while calls keep coming, a chunk leaves when it is full or `interval`
    seconds after the last one, so that a busy server pays for few hops. When a worker process dies, the calls that were
    with it are repeated one by one, and one whose worker dies again fails. An executor whose jobs hang loses only slots.
    """

    def __init__(
        self,
        make_executor: Callable[[], Executor],
        *,
        slots: int,
        max_calls: int = 64,
        max_size: int = 1024 * 1024,
        max_seconds: float = 0.05,
        max_pending: int = 10_000,
        interval: float = 0.005,
    ) -> None:
        """Makes the executor.

        Args:
            make_executor: makes any `Executor`; called again when a pool of processes broke.
            slots: chunks that are with the executor at once; the number of its workers.
            max_calls: the most calls in a chunk.
            max_size: the most bytes of documents in a chunk of more than one call.
            max_seconds: after which a chunk returns what it has; the rest travels again, so that slow calls delay few.
            max_pending: calls accepted and without a result; who comes later waits.
            interval: seconds between chunks that are not full, while calls keep coming.
        """
        self._make_executor = make_executor
        self._executor = make_executor()
        self._slots = slots
        self._max_calls = max_calls
        self._max_size = max_size
        self._max_seconds = max_seconds
        self._interval = interval
        self._room = asyncio.Semaphore(max_pending)
        self._pending: deque[_Call] = deque()
        self._suspects: deque[_Call] = deque()
        self._in_flight: set[_Chunk] = set()
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        self._last = -math.inf
        self._closed = False

    async def run(self, function: Function[*Ts, T], *arguments: *Ts, size: int = 0) -> T:
        """Runs `function(memo, *arguments)` on the executor and returns its result.

        Args:
            function: at the top level of a module and without side effects: it may run twice.
            arguments: plain data, picklable.
            size: bytes of the documents in the arguments, roughly.

        Raises:
            EvaluatorError: the function raised, its worker died, or the server is shutting down.
        """
        async with self._room:
            if self._closed:
                raise _failure("the server is shutting down", retryable=True)
            loop = asyncio.get_running_loop()
            call = _Call((function, arguments), size, loop.create_future())
            self._pending.append(call)
            self._schedule(loop)
            try:
                result = await call.waiter
            except asyncio.CancelledError:
                _give_up(call)
                raise
        if isinstance(result, Crash):
            raise crash_error(result, function.__name__)
        return result  # type: ignore[no-any-return]  # the executor returns what the function does

    async def aclose(self) -> None:
        """Ends all calls. Jobs that are running finish by themselves; nobody waits for them."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        flying = [call for chunk in self._in_flight for call in chunk.calls]
        _fail([*self._pending, *self._suspects, *flying], "the server is shutting down", retryable=True)
        self._pending.clear()
        self._suspects.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._pending or self._suspects
        slots = 1 if self._suspects else self._slots
        if not waiting or len(self._in_flight) >= slots or self._closed:
            return
        at_once = len(self._pending) >= self._max_calls or self._suspects
        due = 0.0 if at_once else self._last + self._interval
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        wait = due - loop.time()
        self._timer = (
            loop.call_later(wait, self._flush, loop) if wait > 0 else loop.call_soon(self._flush, loop)
        )

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._last = loop.time()
        while len(self._in_flight) < self._slots and (calls := self._next_calls()):
            self._submit(loop, calls)
        self._schedule(loop)

    def _next_calls(self) -> list[_Call]:
        while self._suspects and self._suspects[0].waiter.done():
            self._suspects.popleft()
        if self._suspects:
            return [self._suspects.popleft()] if not self._in_flight else []
        calls: list[_Call] = []
        size = 0
        while self._pending and len(calls) < self._max_calls:
            call = self._pending[0]
            if calls and size + call.size > self._max_size:
                break
            self._pending.popleft()
            if not call.waiter.done():
                calls.append(call)
                size += call.size
        return calls

    def _submit(self, loop: asyncio.AbstractEventLoop, calls: list[_Call]) -> None:
        try:
            future = self._hand_over([call.job for call in calls])
        except Exception as error:  # noqa: BLE001 - whatever a custom executor raises is the calls' outcome
            _refused(calls, error)
            return
        chunk = _Chunk(calls, future)
        for call in calls:
            call.chunk = chunk
        self._in_flight.add(chunk)
        future.add_done_callback(lambda _: _tell(loop, self._done, loop, chunk))

    def _hand_over(self, jobs: list[Job]) -> Future[list[Any]]:
        try:
            return self._executor.submit(run_chunk, jobs, self._max_seconds)
        except BrokenExecutor:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._make_executor()
            return self._executor.submit(run_chunk, jobs, self._max_seconds)

    def _done(self, loop: asyncio.AbstractEventLoop, chunk: _Chunk) -> None:
        self._in_flight.discard(chunk)
        try:
            results = chunk.future.result(timeout=0)
        except BrokenExecutor:
            self._suspect(chunk.calls)
        except CancelledError:
            _fail(chunk.calls, "its executor was shut down", retryable=True)
        except Exception as error:  # noqa: BLE001 - as above
            _refused(chunk.calls, error)
        else:
            for call, result in zip(chunk.calls, results, strict=False):
                if not call.waiter.done():
                    call.waiter.set_result(result)
            self._pending.extendleft(reversed(chunk.calls[len(results) :]))
        self._schedule(loop)

    def _suspect(self, calls: list[_Call]) -> None:
        for call in calls:
            if call.alone and not call.waiter.done():
                call.waiter.set_exception(WorkerDiedError(_error("its worker process died, twice")))
        for call in calls:
            if not call.waiter.done():
                call.alone = True
                self._suspects.append(call)


def _give_up(call: _Call) -> None:
    if call.chunk is not None and all(other.waiter.done() for other in call.chunk.calls):
        call.chunk.future.cancel()


def _refused(calls: list[_Call], error: Exception) -> None:
    # Without the exception's text, which may quote what the executor was handed.
    logger.error("an evaluators' executor failed", extra={"where": where(error)})
    _fail(calls, f"its executor failed ({type(error).__name__}); the server's log says where")


def _fail(calls: list[_Call], why: str, *, retryable: bool = False) -> None:
    for call in calls:
        if not call.waiter.done():
            call.waiter.set_exception(_failure(why, retryable=retryable))


def crash_error(crash: Crash, function: str) -> EvaluatorError:
    """Logs that a function raised and returns what its caller may be told."""
    logger.error("an evaluator function raised", extra={"function": function, "where": crash.where})
    return _failure(f"it failed because of a fault in the server ({crash.kind}); the log says where")


def _failure(why: str, *, retryable: bool = False) -> EvaluatorError:
    return EvaluatorError(_error(why, retryable=retryable))


def _error(why: str, *, retryable: bool = False) -> Error:
    return Error(
        reason=Reason.EVALUATOR_FAILED,
        message=f"The evaluator gave no answer: {why}.",
        retryable=retryable,
    )


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[*Ts], None], *arguments: *Ts) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)
