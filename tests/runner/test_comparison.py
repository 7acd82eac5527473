"""Whole runs: what is concluded at their end, and how they stand to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    RequestError,
)
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.verdicts import ComparisonSpec, PlanSpec
from evalrpc_server.domain.statistics.comparison import Verdict
from evalrpc_server.evaluators.port import Case
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.planning import plan
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from tests.runner.world import World, answer, failure, world

ABOVE = {"evaluation": "small", "threshold": {"value": 0.8}}


async def echo(call: TaskCall) -> TaskAnswer:
    return answer(int(call.item.input) * 10 + call.trial)


async def small(case: Case) -> Sequence[Evaluation]:
    """True for the items 0 to 16."""
    return [Evaluation(name="small", value=int(case.item.input) < 17)]


async def size(case: Case) -> Sequence[Evaluation]:
    return [Evaluation(name="size", value=float(case.output or 0))]


async def ended(made: World, count: int, id: str = "exp_1", **spec: Any) -> Experiment:  # noqa: A002
    await made.start(count, id=id, **spec)
    last = (await made.events(id))[-1].body
    assert isinstance(last, Experiment)
    stored = await made.store.get_experiment(id)
    assert stored == last
    return last


async def test_gates_are_judged_at_the_end(tmp_path: Path) -> None:
    async def average(_: Sequence[object]) -> Sequence[Evaluation]:
        return [Evaluation(name="average", value=0.7), Evaluation(name="word", value="good")]

    gates = [
        ABOVE,
        {"evaluation": "small", "threshold": {"value": 0.9}},
        {"evaluation": "small", "threshold": {"value": 0.8, "statistic": "GATE_STATISTIC_LOWER_BOUND"}},
        {
            "evaluation": "small",
            "threshold": {
                "value": 0.05,
                "statistic": "GATE_STATISTIC_ERROR_RATE",
                "comparison": "GATE_COMPARISON_LESS",
            },
        },
        {"name": "mine", "evaluation": "average", "threshold": {"value": 0.7}},
        {"evaluation": "word", "threshold": {}},
        {"evaluation": "none", "threshold": {}},
    ]
    async with world(tmp_path, echo) as made:
        made.judge(small, "small")
        made.run_judge(average, "average")
        last = await ended(made, 20, gates=gates)
    assert last.state is State.SUCCEEDED
    assert [(gate.name, gate.passed, gate.value) for gate in last.gates] == [
        ("small mean >= 0.8", True, 0.85),
        ("small mean >= 0.9", False, 0.85),
        ("small lower bound >= 0.8", False, pytest.approx(0.63958, abs=1e-5)),
        ("small error rate < 0.05", True, 0),
        ("mine", True, 0.7),
        ("word mean >= 0", False, None),
        ("none mean >= 0", False, None),
    ]
    assert last.gates[1].message == "the mean of small is 0.85 over 20 of 20 results, but should be >= 0.9"


async def test_a_run_that_only_fails_passes_no_gate(tmp_path: Path) -> None:
    async def broken(_: TaskCall) -> TaskAnswer:
        raise failure(retryable=False)

    errors = {"statistic": "GATE_STATISTIC_ERROR_RATE", "comparison": "GATE_COMPARISON_AT_MOST", "value": 0.5}
    async with world(tmp_path, broken) as made:
        made.judge(small, "small")
        last = await ended(made, 3, gates=[ABOVE, {"evaluation": "small", "threshold": errors}])
    assert [(gate.passed, gate.value) for gate in last.gates] == [(False, None), (False, 1.0)]


async def test_a_cancelled_run_has_statistics_and_passes_no_gate(tmp_path: Path) -> None:
    async def some(call: TaskCall) -> TaskAnswer:
        if int(call.item.input) > 2:
            await asyncio.Event().wait()
        return await echo(call)

    async with world(tmp_path, some) as made:
        made.judge(small, "small")
        await made.start(5, gates=[ABOVE])
        async for published in made.manager.watch("exp_1"):
            if published.event.progress.completed == 3:
                break
        await made.manager.cancel("exp_1")
        last = (await made.events())[-1].body
    assert isinstance(last, Experiment)
    assert last.state is State.CANCELLED
    assert last.statistics["small"].n == 3
    (gate,) = last.gates
    assert not gate.passed
    assert "did not run to its end" in gate.message


async def test_trials_are_reduced_as_the_spec_says(tmp_path: Path) -> None:
    async def passes(case: Case) -> Sequence[Evaluation]:
        return [Evaluation(name="passes", value=case.trial <= int(case.item.input))]

    async with world(tmp_path, echo) as made:
        made.judge(passes, "passes")
        last = await ended(
            made,
            4,
            repetitions=3,
            trial_reducers=[{"reduction": "TRIAL_REDUCTION_PASS_HAT_K", "k": 2}],
            gates=[{"evaluation": "passes", "threshold": {"value": 0.3}}],
        )
    found = last.statistics["passes"]
    assert (found.n, found.clusters) == (12, 4)
    assert found.mean == pytest.approx((0 + 0 + 1 / 3 + 1) / 4)
    assert last.gates[0].passed


async def test_a_gate_holds_a_run_to_its_baseline(tmp_path: Path) -> None:
    async def judged(case: Case) -> Sequence[Evaluation]:
        worse, number = case.experiment.name == "worse", int(case.item.input)
        size = number % 3 + (10.0 if worse else 0.0)
        small = number < (50 if worse else 90)
        return [Evaluation(name="small", value=small), Evaluation(name="size", value=size)]

    def gates(**rule: object) -> list[dict[str, object]]:
        return [{"evaluation": "small", "baseline": {"experiment": {"id": "base"}, **rule}}]

    async with world(tmp_path, echo) as made:
        made.judge(judged, "small")
        await ended(made, 100, "base")
        same = await ended(made, 100, "same", gates=gates(margin=0.05))
        strict = await ended(made, 100, "strict", gates=gates(fail_when_inconclusive=True))
        larger = {**gates(margin=5, lower_is_better=True)[0], "evaluation": "size"}
        worse = await ended(made, 100, "worse", name="worse", gates=[*gates(margin=0.05), larger])
        lost = await ended(made, 3, "lost", gates=[{**gates()[0], "evaluation": "other"}])
        gone = await ended(
            made,
            3,
            "gone",
            gates=[{"evaluation": "small", "baseline": {"experiment": {"id": "nothing"}}}],
        )
    found = [each.gates[0] for each in (same, strict, worse, lost, gone)]
    assert [(gate.passed, gate.verdict) for gate in found] == [
        (True, Verdict.PASS),
        (False, Verdict.INCONCLUSIVE),
        (False, Verdict.REGRESSED),
        (False, None),
        (False, None),
    ]
    assert found[2].name == "small not below base - 0.05"
    assert worse.gates[1].name == "size not above base + 5"
    assert (worse.gates[1].passed, worse.gates[1].verdict) == (False, Verdict.REGRESSED)
    assert found[2].value == pytest.approx(-0.4)
    assert found[2].message.startswith("REGRESSED: the mean of small is 0.5 after 0.9 in base over 100 items")
    assert "no experiment has the id 'nothing'" in found[4].message


async def test_runs_are_compared_with_both_outputs(tmp_path: Path) -> None:
    async def shifted(call: TaskCall) -> TaskAnswer:
        number = int(call.item.input)
        return answer(number + (5 if call.experiment.name == "candidate" and number % 2 else 0))

    async with world(tmp_path, shifted) as made:
        made.judge(size, "size")
        await ended(made, 6, "base", repetitions=2)
        await ended(made, 8, "new", name="candidate")
        comparisons = Comparisons(made.store)
        spec = ComparisonSpec.model_validate(
            {"experiments": [{"id": "base"}, {"id": "new"}, {"id": "base"}], "max_flips": 2}
        )
        changed, same = await comparisons.compare(spec)
    assert (changed.baseline, changed.candidate, same.candidate) == ("base", "new", "base")
    assert changed.found.only_in_candidate == ["item-6", "item-7"]
    (one,) = changed.found.evaluations
    assert (one.n, one.difference, one.gained, one.lost) == (6, 2.5, 3, 0)
    (flips,) = changed.flips
    assert [(flip.item.id, flip.baseline_output, flip.candidate_output) for flip in flips] == [
        ("item-1", Document("1"), Document("6")),
        ("item-3", Document("3"), Document("8")),
    ]
    assert same.found.evaluations[0].verdict is Verdict.PASS
    assert same.flips == [()]


async def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def endless(call: TaskCall) -> TaskAnswer:
        if call.experiment.id == "running":
            await never.wait()
        return await echo(call)

    async with world(tmp_path, endless) as made:
        made.judge(size, "size")
        await ended(made, 2, "base")
        await made.start(1, id="running")
        comparisons = Comparisons(made.store)

        async def refusal(*refs: object, **fields: object) -> RequestError:
            spec = ComparisonSpec.model_validate({"experiments": refs, **fields})
            with pytest.raises(RequestError) as refused:
                await comparisons.compare(spec)
            return refused.value

        base = {"id": "base"}
        assert isinstance(await refusal(base, {"id": "none"}), NotFoundError)
        assert isinstance(await refusal(base, {"id": "running"}), PreconditionError)
        langfuse = {"langfuse_run": {"dataset": "d", "run_name": "r"}}
        assert isinstance(await refusal(langfuse, base), PreconditionError)
        unknown = await refusal(base, base, evaluations=["size", "tone"])
        assert isinstance(unknown, InvalidRequestError)
        assert [each.path for each in unknown.violations] == ["evaluations[1]"]


async def test_a_plan_is_measured(tmp_path: Path) -> None:
    async with world(tmp_path, echo) as made:
        made.judge(size, "size")
        await ended(made, 20, "one", repetitions=3)
        await ended(made, 20, "two", repetitions=2)
        comparisons = Comparisons(made.store)

        async def planned(**measured: str) -> list[int]:
            spec = PlanSpec.model_validate(
                {"difference": 1, "measured": {"evaluation": "size", **measured}, "trials": [1, 4]}
            )
            return [each.items for each in (await plan(spec, comparisons, made.store)).plans]

        alone = await planned(experiment_id="one")
        paired = await planned(experiment_id="one", candidate_id="two")
        with pytest.raises(InvalidRequestError, match=r"measured\.experiment_id"):
            await planned(experiment_id="one", evaluation="tone")
        with pytest.raises(NotFoundError):
            await planned(experiment_id="none")
    assert alone[0] > alone[1] > 20_000
    assert paired == [12, 3]  # 7.849 times the scatter of trials, 1 and 1/2: the items differ alike in both


@pytest.mark.parametrize(
    ("fields", "path", "problem"),
    [
        (
            {"trial_reducers": [{"reduction": "TRIAL_REDUCTION_AT_LEAST_K", "k": 4}], "repetitions": 3},
            "trial_reducers[0].k",
            "must be at most repetitions, 3",
        ),
        (
            {"gates": [{"evaluation": "x", "threshold": {}}]},
            "gates[0].evaluation",
            "no evaluator gives 'x'; those there are: average, contains",
        ),
        (
            {"gates": [{"evaluation": "average", "baseline": {"experiment": {"id": "base"}}}]},
            "gates[0].evaluation",
            "is no item evaluation",
        ),
        (
            {"gates": [{"evaluation": "contains", "baseline": {"experiment": {"id": "none"}}}]},
            "gates[0].baseline.experiment.id",
            "no experiment has the id 'none'",
        ),
        (
            {
                "gates": [
                    {
                        "evaluation": "contains",
                        "baseline": {"experiment": {"langfuse_run": {"dataset": "d", "run_name": "r"}}},
                    }
                ]
            },
            "gates[0].baseline.experiment.langfuse_run",
            "no Langfuse project",
        ),
    ],
)
async def test_gates_that_can_never_hold_are_refused(
    tmp_path: Path, fields: dict[str, object], path: str, problem: str
) -> None:
    async with world(tmp_path, echo) as made:
        await ended(made, 1, "base")
        acceptance = Acceptance(made.store, SystemClock(), comparisons=Comparisons(made.store))
        spec = ExperimentSpec.model_validate(
            {
                "name": "test",
                "items": {"count": 1},
                "task": {"http": {"url": "http://127.0.0.1:9/"}},
                "evaluators": [{"builtin": {"name": "contains"}}],
                "run_evaluators": [
                    {"name": "average", "builtin": {"name": "mean", "params": {"evaluation": "contains"}}}
                ],
                **fields,
            }
        )
        with pytest.raises(InvalidRequestError) as refused:
            await acceptance.accept(spec)
    (violation,) = refused.value.violations
    assert violation.path == f"experiment.{path}"
    assert problem in violation.description
