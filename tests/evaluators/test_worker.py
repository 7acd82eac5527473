"""The evaluator functions of workers as evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import WorkerEvaluator as WorkerSpec
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.evaluators.worker import WorkerEvaluator
from evalrpc_server.workers.messages import Assignment
from evalrpc_server.workers.work import Evaluated, Failed, ItemWork, RunWork
from tests.workers.scripted import EXPERIMENT, ScriptedWorker, settle, supervised

SAID = (Evaluation(name="", value=1.0),)
CASE = Case(
    experiment=EXPERIMENT,
    item=Item(index=0, id="item-0", input=Document("1")),
    trial=1,
    output=Document("2"),
    trace_id="a" * 32,
)


async def nothing() -> AsyncIterator[Sequence[ItemResult]]:
    for _ in ():
        yield ()


async def test_the_function_gets_the_case_and_joins_its_trace():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "judge", kind="EVALUATOR")
        worker.grant(1)
        evaluator = WorkerEvaluator(WorkerSpec(function="judge"), "tone", hub)

        async def judged() -> Sequence[Evaluation]:
            with Stopwatch(9):
                return await evaluator.evaluate(CASE)

        asked = asyncio.create_task(judged())
        await settle()
        (assignment,) = worker.got(Assignment)
        assert assignment.work.payload == ItemWork(CASE, "tone")
        assert (assignment.work.timeout, assignment.work.unit) == (9, CASE.trace_id)
        assert assignment.work.trace_context["traceparent"] == f"00-{'a' * 32}-{CASE.span_id}-01"
        worker.report(assignment.token, Evaluated(SAID))
        assert await asked == SAID
        assert evaluator.reference == "tone"


async def test_a_run_evaluator_is_another_kind_of_function():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        evaluator = WorkerEvaluator(WorkerSpec(function="mean"), "average", hub)
        asked = asyncio.create_task(evaluator.evaluate_run(EXPERIMENT, nothing()))
        await settle()
        (assignment,) = worker.got(Assignment)
        payload = assignment.work.payload
        assert isinstance(payload, RunWork)
        assert (payload.experiment, payload.evaluator) == (EXPERIMENT, "average")
        worker.report(assignment.token, Evaluated(SAID))
        assert await asked == SAID


async def test_a_lost_worker_is_made_good_by_another_but_not_for_ever():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "judge", kind="EVALUATOR")
        evaluator = WorkerEvaluator(WorkerSpec(function="judge"), "tone", hub)
        asked = asyncio.create_task(evaluator.evaluate(CASE))
        for _ in range(3):
            await settle()
            worker.connect()
            worker.grant(1)
            hub.disconnect(worker.session, for_good=True)
        with pytest.raises(EvaluatorError) as failed:
            await asked
        assert failed.value.error.reason is Reason.WORKER_LOST
        assert failed.value.error.metadata == {"function": "judge", "attempts": "3"}
        assert [assignment.work.attempt for assignment in worker.got(Assignment)] == [1, 2, 3]


async def test_a_reported_error_is_the_evaluators():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "judge", kind="EVALUATOR")
        worker.grant(1)
        evaluator = WorkerEvaluator(WorkerSpec(function="judge"), "tone", hub)
        asked = asyncio.create_task(evaluator.evaluate(CASE))
        await settle()
        error = Error(reason=Reason.EVALUATOR_FAILED, message="ValueError: no")
        worker.report(worker.tokens[0], Failed(error))
        with pytest.raises(EvaluatorError) as failed:
            await asked
        assert failed.value.error == error
