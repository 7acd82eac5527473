"""The task function of a worker as a target."""

from __future__ import annotations

import asyncio

import pytest

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.tasks import WorkerTask
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.targets.port import TaskError
from evalrpc_server.targets.worker import WorkerTarget
from evalrpc_server.workers.messages import Assignment
from evalrpc_server.workers.work import Failed, TaskWork
from tests.runner.world import SECONDS
from tests.workers.scripted import ScriptedWorker, answered, settle, supervised, task_call

TASK = WorkerTask(function="f", include_expected_output=True)


async def test_the_function_gets_the_call_and_joins_its_trace():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        call = task_call(attempt=3, timeout=7)
        asked = asyncio.create_task(WorkerTarget(TASK, hub).call(call))
        await settle()
        (assignment,) = worker.got(Assignment)
        work = assignment.work
        assert work.payload == TaskWork(call, include_expected_output=True)
        assert (work.function.name, work.attempt, work.timeout, work.unit) == ("f", 3, 7, call.trace_id)
        assert work.trace_context["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01"
        assert "evalrpc.item_id=item-0" in work.trace_context["baggage"]
        worker.report(assignment.token, answered({"a": 1}))
        assert (await asked).output == '{"a":1}'


async def test_a_reported_error_is_the_tasks():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        asked = asyncio.create_task(WorkerTarget(TASK, hub).call(task_call()))
        await settle()
        error = Error(reason=Reason.TASK_FAILED, message="ValueError: no", retryable=True)
        worker.report(worker.tokens[0], Failed(error))
        with pytest.raises(TaskError) as failed:
            await asked
        assert failed.value.error == error
        assert failed.value.backoff


async def test_a_lost_worker_fails_the_attempt_which_is_repeated_without_a_pause():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub)
        worker.grant(1)
        asked = asyncio.create_task(WorkerTarget(TASK, hub).call(task_call(attempt=2)))
        await settle()
        hub.disconnect(worker.session, for_good=True)
        with pytest.raises(TaskError) as failed:
            await asked
        assert failed.value.error.reason is Reason.WORKER_LOST
        assert failed.value.error.retryable
        assert failed.value.error.metadata == {"function": "f", "attempts": "2"}
        assert not failed.value.backoff


async def test_the_wait_for_a_worker_is_not_on_the_clock():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)
        stopwatch = Stopwatch(SECONDS, clock)

        async def attempt() -> None:
            with stopwatch:
                await WorkerTarget(TASK, hub).call(task_call())

        asked = asyncio.create_task(attempt())
        await settle()
        clock.advance(10)
        worker.grant(1)
        await settle()
        clock.advance(2)
        worker.report(worker.tokens[0])
        await asked
        assert stopwatch.elapsed == 2
        assert stopwatch.start_time == clock.now().replace(second=10)


async def test_a_call_that_waits_longer_than_its_time_out_is_still_made():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub)

        async def attempt() -> None:
            with Stopwatch(0.05, clock):
                await WorkerTarget(TASK, hub).call(task_call())

        asked = asyncio.create_task(attempt())
        await asyncio.sleep(0.1)
        worker.grant(1)
        await settle()
        assert len(worker.tokens) == 1
        with pytest.raises(TimeoutError):
            await asked
