"""Builtins behind the evaluator ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.evaluators.builtin.evaluator import BuiltinItemEvaluator, BuiltinRunEvaluator
from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.pools import open_batcher
from evalrpc_server.evaluators.port import EvaluatorError
from tests.evaluators.cases import EXPERIMENT, case, result, scored


@pytest.fixture
async def batcher() -> AsyncIterator[ExecutorBatcher]:
    opened = open_batcher()
    yield opened
    await opened.aclose()


async def chunks(*sizes: int) -> AsyncIterator[Sequence[ItemResult]]:
    start = 0
    for size in sizes:
        yield [result(i, [scored(i % 4 == 0)]) for i in range(start, start + size)]
        start += size


async def test_an_item_is_judged_under_the_name_that_the_spec_gives(batcher):
    evaluator = BuiltinItemEvaluator(
        BuiltinEvaluator(name="contains", params={"ignore_case": True}), "accuracy", batcher
    )
    [said] = await evaluator.evaluate(case("It is PARIS.", "Paris"))
    assert (said.name, said.value, said.evaluator) == ("accuracy", True, "builtin/contains@1")
    await evaluator.aclose()


async def test_a_run_is_judged_in_chunks():
    evaluator = BuiltinRunEvaluator(
        BuiltinEvaluator(name="mean", params={"evaluation": "accuracy"}), "avg_accuracy"
    )
    [said] = await evaluator.evaluate_run(EXPERIMENT, chunks(3, 0, 5))
    assert (said.name, said.value, said.evaluator) == ("avg_accuracy", 0.25, "builtin/mean@1")
    assert said.comment == "over 8 values"


async def test_a_run_of_labels_has_no_mean_and_says_so():
    async def labels() -> AsyncIterator[Sequence[ItemResult]]:
        yield [result(0, [scored("polite")])]

    evaluator = BuiltinRunEvaluator(BuiltinEvaluator(name="mean", params={"evaluation": "accuracy"}), "m")
    [said] = await evaluator.evaluate_run(EXPERIMENT, labels())
    assert said.unscored == "the values are labels, which have no mean"


@pytest.mark.parametrize(
    "spec", [BuiltinEvaluator(name="of_tomorrow"), BuiltinEvaluator(name="regex", params={"shape": 1})]
)
async def test_a_builtin_that_this_server_does_not_have_fails_its_evaluations_only(batcher, spec):
    evaluator = BuiltinItemEvaluator(spec, "x", batcher)
    assert evaluator.reference == f"builtin/{spec.name}"
    with pytest.raises(EvaluatorError, match=spec.name):
        await evaluator.evaluate(case("x"))
    with pytest.raises(EvaluatorError, match=spec.name):
        await BuiltinRunEvaluator(spec, "x").evaluate_run(EXPERIMENT, chunks(1))
