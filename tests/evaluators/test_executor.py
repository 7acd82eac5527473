"""Calls travel in chunks, and nothing that happens to one of them happens to another."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.evaluators.builtin.evaluator import BuiltinItemEvaluator
from evalrpc_server.evaluators.builtin.judge import judge
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import read_params
from evalrpc_server.evaluators.chunks import Memo
from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.pools import open_batcher
from evalrpc_server.evaluators.port import EvaluatorError
from tests.evaluators.cases import case, scored

PARAMS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "P.*s"},
    "json_schema": {"schema": {"type": "string"}},
    "json_value": {"path": "/a"},
    "weighted_mean": {"weights": {"accuracy": 1}},
}


class Counting(Executor):
    """An executor in a thread that remembers how many calls each chunk had, and can be held back."""

    def __init__(self, workers: int = 1) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self.chunks: list[int] = []
        self.begun = asyncio.Event()
        self.gate = threading.Event()
        self.gate.set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.chunks.append(len(args[0]))
        self.begun.set()

        def work() -> Any:
            self.gate.wait(10)
            return fn(*args, **kwargs)

        return self._pool.submit(work)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.gate.set()
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture
async def executor() -> AsyncIterator[Counting]:
    counting = Counting()
    yield counting
    counting.shutdown()


@pytest.fixture
async def batcher(executor: Counting) -> AsyncIterator[ExecutorBatcher]:
    opened = ExecutorBatcher(lambda: executor, slots=1, max_calls=8, max_size=100, max_pending=20)
    yield opened
    await opened.aclose()


def double(_: Memo, number: int) -> int:
    return number * 2


def thread_name(_: Memo) -> str:
    return threading.current_thread().name


def fail(_: Memo, secret: str) -> None:
    raise KeyError(secret)


def recurse(memo: Memo) -> None:
    recurse(memo)


def die(_: Memo) -> None:
    os._exit(3)


def count_in_memo(memo: Memo, key: str) -> int:
    memo[key] = memo.get(key, 0) + 1
    return int(memo[key])


def process_id(_: Memo) -> int:
    return os.getpid()


async def test_waiting_calls_travel_together_and_get_their_own_results(batcher, executor):
    assert await asyncio.gather(*(batcher.run(double, n) for n in range(20))) == [2 * n for n in range(20)]
    assert executor.chunks == [8, 8, 4]


async def test_calls_run_in_another_thread(batcher):
    assert await batcher.run(thread_name) != threading.current_thread().name


async def test_calls_that_wait_while_the_slot_is_taken_leave_together(batcher, executor):
    executor.gate.clear()
    first = asyncio.ensure_future(batcher.run(double, 1))
    await executor.begun.wait()
    others = [asyncio.ensure_future(batcher.run(double, n)) for n in (2, 3, 4)]
    await asyncio.sleep(0.02)
    assert executor.chunks == [1]
    executor.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert executor.chunks == [1, 3]


async def test_a_chunk_is_bounded_by_the_size_of_its_documents(batcher, executor):
    await asyncio.gather(
        *(batcher.run(double, n, size=40) for n in range(5)), batcher.run(double, 9, size=10**9)
    )
    assert executor.chunks == [2, 2, 1, 1]


async def test_one_call_that_raises_leaves_the_others_alone_and_does_not_quote_its_input(batcher, caplog):
    results: list[Any] = await asyncio.gather(
        *[
            batcher.run(double, 1),
            batcher.run(fail, "hunter2"),
            batcher.run(recurse),
            batcher.run(double, 2),
        ],
        return_exceptions=True,
    )
    assert results[0::3] == [2, 4]
    for failure in results[1:3]:
        assert isinstance(failure, EvaluatorError)
        assert failure.error.reason is Reason.EVALUATOR_FAILED
        assert "hunter2" not in failure.error.message
    assert "KeyError" in results[1].error.message
    assert "hunter2" not in caplog.text
    assert "test_executor.py" in caplog.records[0].where


async def test_a_cancelled_waiter_does_not_disturb_the_others(batcher, executor):
    executor.gate.clear()
    waiting = [asyncio.ensure_future(batcher.run(double, n)) for n in range(12)]
    await executor.begun.wait()
    waiting[3].cancel()  # with the executor
    waiting[10].cancel()  # not yet
    executor.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [r for r in results if not isinstance(r, BaseException)] == [
        2 * n for n in range(12) if n not in {3, 10}
    ]
    assert executor.chunks == [8, 3]


async def test_more_calls_than_fit_wait_for_room(batcher, executor):
    executor.gate.clear()
    waiting = [asyncio.ensure_future(batcher.run(double, n)) for n in range(50)]
    await asyncio.sleep(0.02)
    assert len(batcher._pending) == 12  # 20 accepted, 8 of them with the executor
    executor.gate.set()
    assert await asyncio.gather(*waiting) == [2 * n for n in range(50)]


async def test_a_job_that_hangs_takes_only_its_slot():
    executor = Counting(workers=2)
    hanging = threading.Event()
    batcher = ExecutorBatcher(lambda: executor, slots=2, interval=0)
    try:
        stuck = asyncio.ensure_future(batcher.run(_wait_for, hanging))
        await executor.begun.wait()
        for n in range(20):
            assert await batcher.run(double, n) == 2 * n
        stuck.cancel()
        assert await batcher.run(double, 21) == 42
    finally:
        hanging.set()
        await batcher.aclose()


def _wait_for(_: Memo, event: threading.Event) -> bool:
    return event.wait(10)


async def test_a_chunk_that_takes_long_returns_what_it_has_and_the_rest_travels_again(executor):
    batcher = ExecutorBatcher(lambda: executor, slots=1, max_calls=8, max_seconds=0)
    assert await asyncio.gather(*(batcher.run(double, n) for n in range(4))) == [0, 2, 4, 6]
    assert executor.chunks == [4, 3, 2, 1]
    await batcher.aclose()


async def test_calls_of_one_chunk_share_a_memo(batcher):
    assert await asyncio.gather(*(batcher.run(count_in_memo, "k") for _ in range(3))) == [1, 2, 3]
    assert await batcher.run(count_in_memo, "k") == 1


async def test_closing_ends_every_call(executor):
    batcher = ExecutorBatcher(lambda: executor, slots=1, max_calls=2)
    executor.gate.clear()
    waiting = [asyncio.ensure_future(batcher.run(double, n)) for n in range(5)]
    await executor.begun.wait()
    await batcher.aclose()
    for failure in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(failure, EvaluatorError)
        assert failure.error.retryable
    with pytest.raises(EvaluatorError, match="shutting down"):
        await batcher.run(double, 1)


async def test_an_executor_that_refuses_fails_the_calls_and_not_the_batcher():
    class Refusing(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            raise RuntimeError("cannot schedule new futures after shutdown")

    batcher = ExecutorBatcher(Refusing, slots=1)
    for _ in range(2):
        with pytest.raises(EvaluatorError, match="RuntimeError"):
            await batcher.run(double, 1)
    await batcher.aclose()


async def test_the_event_loop_goes_on_while_a_call_runs():
    batcher = open_batcher("threads")
    try:
        set_by_the_loop = threading.Event()
        call = asyncio.ensure_future(batcher.run(_wait_for, set_by_the_loop))
        asyncio.get_running_loop().call_later(0.01, set_by_the_loop.set)
        assert await call is True
    finally:
        await batcher.aclose()


async def test_every_builtin_and_its_parameters_travel_to_another_process():
    batcher = open_batcher("processes", 1)
    try:
        names = [name for name, builtin in BUILTINS.items() if builtin.judge is not None]
        for name in names:
            evaluator = BuiltinItemEvaluator(
                BuiltinEvaluator(name=name, params=PARAMS.get(name, {})), name, batcher
            )
            [said] = await evaluator.evaluate(case("Paris", "Paris", evaluations=[scored(True)]))
            assert said == judge(
                {},
                name,
                read_params(BUILTINS[name], PARAMS.get(name, {})),
                name,
                case("Paris", "Paris", evaluations=[scored(True)]),
            )
    finally:
        await batcher.aclose()


@pytest.mark.parametrize("kind", ["threads", "processes"])
async def test_builtins_judge_alike_in_threads_and_processes(kind):
    batcher = open_batcher(kind, 2)
    try:
        evaluators = [
            BuiltinItemEvaluator(BuiltinEvaluator(name=name, params=params), name, batcher)
            for name, params in [
                ("contains", {"ignore_case": True}),
                ("length", {}),
                ("regex", {"pattern": "(?i)paris"}),
                ("levenshtein", {}),
            ]
        ]
        judged = case("PARIS!", "Paris")
        found = [said for evaluator in evaluators for said in await evaluator.evaluate(judged)]
        assert [said.value for said in found] == [True, 6.0, True, pytest.approx(1 / 6)]
        assert [said.evaluator for said in found] == [evaluator.reference for evaluator in evaluators]
    finally:
        await batcher.aclose()


async def test_a_worker_process_that_dies_takes_only_the_call_that_killed_it():
    batcher = open_batcher("processes", 2)
    try:
        others = await asyncio.gather(*(batcher.run(process_id) for _ in range(2)))
        assert os.getpid() not in others
        calls: list[Any] = [batcher.run(double, n) for n in range(10)]
        calls.insert(4, batcher.run(die))
        results = await asyncio.gather(*calls, return_exceptions=True)
        killer = results.pop(4)
        assert isinstance(killer, EvaluatorError)
        assert "worker process died" in killer.error.message
        assert results == [2 * n for n in range(10)]
        assert await batcher.run(double, 50) == 100
    finally:
        await batcher.aclose()


async def test_the_first_call_after_a_pause_leaves_at_once():
    executor = Counting()
    batcher = ExecutorBatcher(lambda: executor, slots=1, interval=3600)
    started = time.monotonic()
    assert await batcher.run(double, 1) == 2
    assert time.monotonic() - started < 60
    later = asyncio.ensure_future(batcher.run(double, 2))
    await asyncio.sleep(0.01)
    assert not later.done()
    await batcher.aclose()
    with pytest.raises(EvaluatorError):
        await later


def test_a_custom_executor_needs_nothing_but_the_interface():
    async def scenario() -> int:
        pool = ThreadPoolExecutor(1)
        batcher = ExecutorBatcher(partial(_same, pool), slots=1)
        try:
            return await batcher.run(double, 4)
        finally:
            await batcher.aclose()

    assert asyncio.run(scenario()) == 8


def _same(executor: Executor) -> Executor:
    return executor
