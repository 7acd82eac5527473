"""How a run evaluator in a worker gets the results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import ItemResult, TaskOutcome
from evalrpc_server.workers.messages import Chunk
from evalrpc_server.workers.work import Evaluated, RunWork, WorkerLostError
from tests.runner.world import ManualClock
from tests.workers.scripted import EXPERIMENT, ScriptedWorker, begin, outcome, pass_time, settle, supervised

CLOCK = ManualClock()


class Results:
    """Pages of results of a size, which can be read again."""

    def __init__(self, *pages: int, characters: int = 10, fault: Exception | None = None) -> None:
        self.pages = pages
        self.characters = characters
        self.fault = fault
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[Sequence[ItemResult]]:
        index = 0
        for page in self.pages:
            self.read += 1
            yield [self.result(index + number) for number in range(page)]
            index += page
        if self.fault:
            raise self.fault

    def result(self, index: int) -> ItemResult:
        item = Item(index=index, id=f"item-{index}", input=Document('"' + "x" * self.characters + '"'))
        done = TaskOutcome(output=Document("1"), start_time=CLOCK.now(), task_duration=0.1, attempts=1)
        return ItemResult(item=item, trial=1, outcome=done)


def evaluate(hub, results: Results):
    return begin(
        hub,
        function="mean",
        kind="RUN_EVALUATOR",
        unit=EXPERIMENT.id,
        payload=RunWork(EXPERIMENT, "mean", results),
    )


SAID = Evaluated((Evaluation(name="mean", value=1.0),))


async def test_each_chunk_waits_until_the_one_before_was_taken_in():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        results = Results(150, 150, 150)
        call = evaluate(hub, results)
        await settle()
        (token,) = worker.tokens
        seen: list[int] = []
        for number in (1, 2, 3):
            chunk = worker.got(Chunk)[-1]
            assert (len(worker.got(Chunk)), chunk.number) == (number, number)
            assert chunk.last is (number == 3)
            seen += [result.item.index for result in chunk.results]
            hub.take_chunk(worker.session, token, number)
            await settle()
        assert seen == list(range(450))
        worker.report(token, SAID)
        assert await outcome(call) == SAID


async def test_chunks_are_bounded_by_their_text():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        call = evaluate(hub, Results(5, characters=300_000))
        await settle()
        for number in range(1, 4):
            hub.take_chunk(worker.session, worker.tokens[0], number)
            await settle()
        assert [len(chunk.results) for chunk in worker.got(Chunk)] == [2, 2, 1]
        call.cancel()


async def test_a_run_without_results_is_one_empty_chunk():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        call = evaluate(hub, Results())
        await settle()
        assert [(chunk.number, chunk.last, len(chunk.results)) for chunk in worker.got(Chunk)] == [
            (1, True, 0)
        ]
        call.cancel()


async def test_a_chunk_that_a_cut_swallowed_is_sent_again():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        call = evaluate(hub, Results(100, 150, 150))
        await settle()
        (token,) = worker.tokens
        hub.take_chunk(worker.session, token, 1)
        await settle()
        worker.cut()
        worker.connect()
        worker.beat(token)
        await settle()
        assert [chunk.number for chunk in worker.got(Chunk)] == [1, 2, 2]
        worker.report(token, SAID)
        assert await outcome(call) == SAID


async def test_a_worker_that_never_takes_a_chunk_in_gets_no_more_of_them():
    async with supervised() as (hub, clock):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        results = Results(*[100] * 100)
        call = evaluate(hub, results)
        for _ in range(5):
            await pass_time(clock, 5)
            worker.beat(*worker.tokens)
        assert len(worker.got(Chunk)) == 1
        assert results.read < 10
        call.cancel()


async def test_another_worker_gets_all_results_from_the_first():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        results = Results(10)
        call = evaluate(hub, results)
        await settle()
        hub.disconnect(worker.session, for_good=True)
        with pytest.raises(WorkerLostError):
            await outcome(call)
        other = ScriptedWorker(hub, "other", "mean", kind="RUN_EVALUATOR")
        other.grant(1)
        again = evaluate(hub, results)
        await settle()
        assert [len(chunk.results) for chunk in other.got(Chunk)] == [10]
        again.cancel()


async def test_results_that_cannot_be_read_end_the_call():
    async with supervised() as (hub, _):
        worker = ScriptedWorker(hub, "w", "mean", kind="RUN_EVALUATOR")
        worker.grant(1)
        call = evaluate(hub, Results(1, fault=OSError("disk")))
        await settle()
        with pytest.raises(OSError, match="disk"):
            await outcome(call)
        assert not [task for task in asyncio.all_tasks() if "feed" in repr(task)]
