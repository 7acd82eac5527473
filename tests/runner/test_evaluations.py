"""Evaluators: at the same time, off the task slots, bounded, and isolated from each other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import echo, failure, results, scripted_judge, world


async def _good(_: Case) -> Sequence[Evaluation]:
    return [Evaluation(name="", value=True)]


async def test_the_three_outcomes_are_kept_apart_and_counted(tmp_path: Path) -> None:
    async def mixed(case: Case) -> Sequence[Evaluation]:
        index = case.item.index
        if index == 0:
            raise EvaluatorError(Error(reason=Reason.EVALUATOR_FAILED, message="It failed."))
        if index == 1:
            return [Evaluation(name="", unscored="nothing to compare with")]
        return [Evaluation(name="", value=float(index))]

    async with world(tmp_path, echo) as made:
        made.judge(mixed, "mixed")
        await made.start(5)
        events = await made.events()
    found = {result.item.index: result.evaluations[0] for result in results(events)}
    assert found[0].error
    assert found[0].value is None
    assert found[1].unscored == "nothing to compare with"
    assert [found[index].value for index in (2, 3, 4)] == [2.0, 3.0, 4.0]
    assert {evaluation.evaluator for evaluation in found.values()} == {"scripted@1"}
    last = events[-1].body
    assert isinstance(last, Experiment)
    summary = last.statistics["mixed"]
    assert (summary.n, summary.unscored, summary.errors, summary.mean) == (3, 1, 1, 3.0)
    assert summary.standard_error
    assert math.isclose(summary.standard_error, 1 / math.sqrt(3))


async def test_one_bad_evaluator_spoils_no_other(tmp_path: Path) -> None:
    async def broken(_: Case) -> Sequence[Evaluation]:
        raise KeyError("secret text")

    async def endless(_: Case) -> Sequence[Evaluation]:
        await asyncio.Event().wait()
        return []

    async with world(tmp_path, echo) as made:
        made.judge(_good, "good")
        made.judge(broken, "broken")
        made.judge(endless, "endless", timeout=0.05)
        await made.start(1)
        (result,) = results(await made.events())
    good, bad, late = result.evaluations
    assert (good.name, good.value) == ("good", True)
    assert bad.error
    assert bad.error.reason is Reason.INTERNAL
    assert "secret text" not in repr(bad)
    assert late.error
    assert late.error.reason is Reason.EVALUATOR_TIMEOUT


async def test_evaluators_of_an_item_run_at_the_same_time(tmp_path: Path) -> None:
    meeting = asyncio.Barrier(3)

    async def meet(_: Case) -> Sequence[Evaluation]:
        await meeting.wait()
        return [Evaluation(name="", value=1.0)]

    async with world(tmp_path, echo) as made:
        for name in ("a", "b", "c"):
            made.judge(meet, name)
        await made.start(1)
        (result,) = results(await made.events())
    assert [evaluation.value for evaluation in result.evaluations] == [1.0, 1.0, 1.0]


async def test_slow_evaluators_hold_no_task_slot(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slow(_: Case) -> Sequence[Evaluation]:
        await release.wait()
        return [Evaluation(name="", value=1.0)]

    async with world(tmp_path, echo) as made:
        made.judge(slow, "slow", slots=1)
        await made.start(100, max_concurrency=2)
        await made.target.called(100)
        release.set()
        assert len(results(await made.events())) == 100


async def test_an_evaluator_keeps_to_its_own_bound(tmp_path: Path) -> None:
    running = peak = 0

    async def count(_: Case) -> Sequence[Evaluation]:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return []

    async with world(tmp_path, echo) as made:
        made.judge(count, "count", slots=3)
        await made.start(60, max_concurrency=30)
        await made.events()
    assert peak == 3


async def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    async def infinite(_: Case) -> Sequence[Evaluation]:
        return [Evaluation(name="", value=math.inf)]

    async with world(tmp_path, echo) as made:
        made.judge(infinite, "infinite")
        await made.start(1)
        (result,) = results(await made.events())
    (evaluation,) = result.evaluations
    assert evaluation.value is None
    assert evaluation.error
    assert evaluation.error.reason is Reason.EVALUATOR_INVALID_ANSWER


async def test_a_failed_task_is_not_evaluated(tmp_path: Path) -> None:
    async def task(_: TaskCall) -> TaskAnswer:
        raise failure(retryable=False)

    async with world(tmp_path, task) as made:
        made.judge(_good, "good")
        await made.start(1)
        (result,) = results(await made.events())
    assert result.evaluations == ()


async def test_the_composite_evaluator_sees_what_the_others_said(tmp_path: Path) -> None:
    async def total(case: Case) -> Sequence[Evaluation]:
        values = [evaluation.value for evaluation in case.evaluations if isinstance(evaluation.value, float)]
        return [Evaluation(name="", value=sum(values))]

    def constant(value: float):
        async def evaluate(_: Case) -> Sequence[Evaluation]:
            return [Evaluation(name="", value=value)]

        return evaluate

    async with world(tmp_path, echo) as made:
        made.judge(constant(2.0), "two")
        made.judge(constant(3.0), "three")
        made.composite = scripted_judge(total, "total")
        await made.start(1)
        (result,) = results(await made.events())
    assert [(evaluation.name, evaluation.value) for evaluation in result.evaluations] == [
        ("two", 2.0),
        ("three", 3.0),
        ("total", 5.0),
    ]


async def test_run_evaluators_see_every_result_and_one_that_fails_is_reported(tmp_path: Path) -> None:
    async def task(call: TaskCall) -> TaskAnswer:
        if call.item.index % 4 == 0:
            raise failure(retryable=False)
        return await echo(call)

    async def failed_share(found: list[ItemResult]) -> Sequence[Evaluation]:
        return [Evaluation(name="", value=sum(result.failed for result in found) / len(found))]

    async def broken(_: list[ItemResult]) -> Sequence[Evaluation]:
        raise ZeroDivisionError

    async with world(tmp_path, task) as made:
        made.run_judge(failed_share, "failed_share")
        made.run_judge(broken, "broken")
        await made.start(1200)
        events = await made.events()
    last = events[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.SUCCEEDED
    share, bad = last.run_evaluations
    assert (share.name, share.value) == ("failed_share", 0.25)
    assert bad.error
    assert bad.error.reason is Reason.INTERNAL
