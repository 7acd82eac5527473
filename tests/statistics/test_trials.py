"""Trials that become one value."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.trials import Reducer, Reducers, Reduction

MEAN, MEDIAN, MAX = (Reducer(each) for each in (Reduction.MEAN, Reduction.MEDIAN, Reduction.MAX))
MAJORITY = Reducer(Reduction.MAJORITY)


@pytest.mark.parametrize(
    ("reducer", "values", "wanted"),
    [
        (MEAN, [True, False, True, True], 0.75),
        (MEAN, [1.0, 2.0, 6.0], 3.0),
        (MEAN, [True], True),
        (MEAN, ["good", "bad"], None),
        (MEAN, [], None),
        (MEDIAN, [1.0, 9.0, 2.0], 2.0),
        (MEDIAN, [True, False], 0.5),
        (MAX, [1.0, 9.0, 2.0], 9.0),
        (MAX, [False, True], True),
        (MAJORITY, ["a", "b", "a"], "a"),
        (MAJORITY, [True, True, False], True),
        (MAJORITY, ["a", "b"], None),
    ],
)
def test_values_become_one(reducer: Reducer, values: list[Value], wanted: Value | None):
    assert reducer.reduce(values) == wanted


def test_failed_trials_do_not_pass_and_missing_ones_do_not_count():
    at_least = Reducer(Reduction.AT_LEAST_K, k=2)
    assert at_least.reduce([True, True, False]) is True
    assert at_least.reduce([True], failed=2) is False
    assert at_least.reduce([True, False], missing=1) is None
    assert Reducer(Reduction.PASS_AT_K, k=2).reduce([True, True], failed=2) == pytest.approx(1 - 1 / 6)
    assert Reducer(Reduction.PASS_HAT_K, k=2).reduce([True, True], failed=2) == pytest.approx(1 / 6)
    assert Reducer(Reduction.PASS_HAT_K, k=2).reduce([True], missing=3) is None
    assert Reducer(Reduction.PASS_AT_K, k=1).reduce([], failed=3) == 0


def test_numbers_pass_from_the_threshold_on():
    reducer = Reducer(Reduction.AT_LEAST_K, k=1, pass_threshold=0.5)
    assert reducer.reduce([0.2, 0.5]) is True
    assert reducer.reduce([0.2, 0.49]) is False
    assert reducer.reduce(["good"]) is False


@pytest.mark.parametrize("trials", [1, 4, 7])
def test_the_chances_of_k_trials_are_those_of_all_choices(trials: int):
    for passes in range(trials + 1):
        values: list[Value] = [place < passes for place in range(trials)]
        for k in range(1, trials + 1):
            choices = list(combinations(values, k))
            some = Fraction(sum(any(choice) for choice in choices), len(choices))
            every = Fraction(sum(all(choice) for choice in choices), len(choices))
            assert Reducer(Reduction.PASS_AT_K, k=k).reduce(values) == pytest.approx(float(some))
            assert Reducer(Reduction.PASS_HAT_K, k=k).reduce(values) == pytest.approx(float(every))


def test_an_evaluation_without_a_reducer_of_its_own_has_that_of_all_others():
    reducers = Reducers({"accuracy": MAX}, MEDIAN)
    assert reducers.of("accuracy") is MAX
    assert reducers.of("tone") is MEDIAN
