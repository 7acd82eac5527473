"""Run-level builtins count what has no value instead of taking it for zero."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from evalrpc_server.domain.documents import parse_document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.usage import Usage
from tests.evaluators.cases import fold, result, scored

UNSCORED = Evaluation(name="accuracy", unscored="nothing expected")
BROKEN = Evaluation(name="accuracy", error=Error(reason=Reason.EVALUATOR_TIMEOUT, message="late"))


def mixed() -> list[list[ItemResult]]:
    return [
        [result(0, [scored(True)]), result(1, [scored(False)]), result(2, failed=True)],
        [result(3, [UNSCORED]), result(4, [BROKEN]), result(5, [scored(True), scored(9.0, "length")])],
        [],
        [result(6, [scored("other", "tone")])],
    ]


def test_a_mean_takes_booleans_as_one_and_zero_and_reports_what_it_leaves_out():
    said = fold("mean", mixed(), evaluation="accuracy")
    assert said.value == pytest.approx(2 / 3)
    assert said.evaluator == "builtin/mean@1"
    assert said.comment == (
        "over 3 values; 1 item failed, 1 unscored, 1 evaluator error, 1 without this evaluation"
    )
    assert said.metadata is not None
    assert parse_document(said.metadata) == {
        "n": 3,
        "unscored": 1,
        "errors": 1,
        "failed_items": 1,
        "missing": 1,
    }


def test_pass_rate_of_booleans_numbers_and_labels():
    assert fold("pass_rate", mixed(), evaluation="accuracy").value == pytest.approx(2 / 3)
    numbers = [[result(i, [scored(i / 10)]) for i in range(10)]]
    assert fold("pass_rate", numbers, evaluation="accuracy", threshold=0.7).value == pytest.approx(0.3)
    labels = [[result(i, [scored("polite" if i % 4 else "rude")]) for i in range(8)]]
    said = fold("pass_rate", labels, evaluation="accuracy", label="polite")
    assert said.value == pytest.approx(0.75)
    assert said.comment.startswith("6 passed")
    assert "set label" in (fold("pass_rate", labels, evaluation="accuracy").unscored or "")


@pytest.mark.parametrize("p", [0, 5, 50, 95, 100])
def test_percentiles_agree_with_linear_interpolation(p):
    source = random.Random(7)
    latencies = [source.lognormvariate(-2, 1) for _ in range(1001)]
    chunks = [
        [result(i, duration=latencies[i]) for i in range(start, min(start + 100, 1001))]
        for start in range(0, 1001, 100)
    ]
    ordered = sorted(latencies)
    assert fold("percentile", chunks, measure="latency", p=p).value == pytest.approx(ordered[p * 10])


def test_a_percentile_between_two_values_is_interpolated():
    chunks = [[result(0, [scored(1.0)]), result(1, [scored(2.0)])]]
    assert fold("percentile", chunks, evaluation="accuracy", p=25).value == pytest.approx(1.25)


def test_standard_error_of_single_trials_is_that_of_the_mean():
    source = random.Random(3)
    values = [source.gauss(5, 2) for _ in range(200)]
    said = fold(
        "standard_error", [[result(i, [scored(v)])] for i, v in enumerate(values)], evaluation="accuracy"
    )
    assert said.value == pytest.approx(statistics.stdev(values) / math.sqrt(200))


def test_standard_error_takes_the_trials_of_an_item_as_one_cluster():
    doubled = [[result(i, [scored(i % 3 == 0)], trial=trial) for trial in (1, 2)] for i in range(30)]
    single = [[result(i, [scored(i % 3 == 0)])] for i in range(30)]
    # Trials that always agree say nothing new, so they must not make the error smaller.
    assert fold("standard_error", doubled, evaluation="accuracy").value == pytest.approx(
        fold("standard_error", single, evaluation="accuracy").value
    )


def test_error_rate_of_items_and_of_an_evaluation():
    said = fold("error_rate", mixed())
    assert said.value == pytest.approx(1 / 7)
    assert said.comment == "1 of 7 items failed"
    said = fold("error_rate", mixed(), evaluation="accuracy")
    assert said.value == pytest.approx(1 / 5)
    assert said.comment == "1 of 5 evaluations failed"
    assert fold("error_rate", [[result(0, failed=True)]]).value == 1.0


def test_measures_of_the_task_calls():
    usage = [Usage(input_tokens=10, output_tokens=20, cost_usd=0.5), Usage(input_tokens=30), None]
    chunks = [[result(i, usage=u, duration=i + 1.0) for i, u in enumerate(usage)]]
    assert fold("mean", chunks, measure="latency").value == pytest.approx(2.0)
    said = fold("mean", chunks, measure="input_tokens")
    assert said.value == pytest.approx(20)
    assert said.comment == "over 2 values; 1 unscored"
    assert fold("mean", chunks, measure="cost").value == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["mean", "pass_rate", "percentile", "standard_error", "error_rate"])
def test_a_misspelt_evaluation_is_unscored_and_the_reason_names_those_there_are(name):
    params = {"p": 50} if name == "percentile" else {}
    said = fold(
        name,
        [[result(i, [scored(1.0, "accuracy"), scored(1.0, "tone")])] for i in range(3)],
        evaluation="acuracy",
        **params,
    )
    assert said.value is None
    assert said.unscored == "no result has an evaluation named acuracy; there are: accuracy, tone"


def test_a_run_without_results_or_values_is_unscored():
    assert fold("mean", [], evaluation="accuracy").unscored == "the run has no results"
    assert fold("error_rate", []).unscored == "the run has no results"
    said = fold("mean", [[result(0, [UNSCORED]), result(1, failed=True)]], evaluation="accuracy")
    assert said.unscored == "no value (over 0 values; 1 item failed, 1 unscored)"
    assert fold("mean", [[result(0, [scored("good")])]], evaluation="accuracy").unscored == (
        "the values are labels, which have no mean"
    )


def test_sum_extremes_and_spread():
    source = random.Random(5)
    values = [source.uniform(-3, 3) for _ in range(100)]
    chunks = [[result(i, [scored(v)])] for i, v in enumerate(values)]
    assert fold("sum", chunks, evaluation="accuracy").value == pytest.approx(sum(values))
    assert fold("minimum", chunks, evaluation="accuracy").value == min(values)
    assert fold("maximum", chunks, evaluation="accuracy").value == max(values)
    assert fold("standard_deviation", chunks, evaluation="accuracy").value == pytest.approx(
        statistics.stdev(values)
    )
    assert fold("standard_deviation", chunks[:1], evaluation="accuracy").unscored
