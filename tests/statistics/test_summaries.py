"""Summaries of runs."""

from __future__ import annotations

import math

import pytest

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.intervals import rate_interval
from evalrpc_server.domain.statistics.moments import clustered
from evalrpc_server.domain.statistics.scores import Score, TrialScores
from evalrpc_server.domain.statistics.summaries import MAX_LABELS, EvaluationSummary, Summarizer
from evalrpc_server.domain.statistics.trials import Reducer, Reducers, Reduction

NONE = Reducers({})


def trial(index: int, *scores: Score, number: int = 1, failed: bool = False, cluster: str | None = None):
    return TrialScores(index, f"item-{index}", number, failed, scores, cluster)


def summarized(trials: list[TrialScores], reducers: Reducers = NONE) -> dict[str, EvaluationSummary]:
    summarizer = Summarizer(reducers, repeated=any(each.trial > 1 for each in trials))
    summarizer.add(trials)
    return summarizer.summaries()


def of_values(*values: Value) -> EvaluationSummary:
    return summarized([trial(index, Score("s", value)) for index, value in enumerate(values)])["s"]


def test_numbers():
    found = of_values(*map(float, range(1, 101)))
    assert (found.n, found.unscored, found.errors, found.clusters) == (100, 0, 0, 0)
    assert (found.mean, found.min, found.max) == (50.5, 1, 100)
    assert found.standard_error == pytest.approx(2.9011491975882)
    assert [each.value for each in found.quantiles] == pytest.approx([5.95, 25.75, 50.5, 75.25, 95.05])
    assert found.interval is not None
    assert found.interval.high - 50.5 == pytest.approx(1.9842169515864 * 2.9011491975882)


def test_booleans_have_wilsons_interval():
    found = of_values(*[True] * 9, False)
    assert found.mean == 0.9
    assert found.interval == rate_interval(0.9, 10, confidence=0.95)
    certain = of_values(*[True] * 10).interval
    assert certain is not None
    assert certain.low == pytest.approx(0.7224672)


def test_what_cannot_be_computed_is_absent():
    single = of_values(3.0)
    assert (single.mean, single.min) == (3.0, 3.0)
    assert (single.standard_error, single.standard_deviation, single.interval) == (None, None, None)
    labels = of_values("good", "good", "bad")
    assert (labels.n, labels.mean, labels.quantiles) == (3, None, ())
    assert labels.labels == {"good": 2, "bad": 1}


def test_labels_are_bounded():
    found = of_values(*(f"label {number % 150}" for number in range(300)))
    assert found.n == 300
    assert len(found.labels) == MAX_LABELS
    assert set(found.labels.values()) == {2}


def test_neither_errors_nor_unscored_evaluations_count_in_the_mean():
    scores = [Score("s", 1.0), Score("s", None), Score("s", None, failed=True), Score("s", 0.0)]
    found = summarized([trial(index, score) for index, score in enumerate(scores)])["s"]
    assert (found.n, found.unscored, found.errors, found.mean) == (2, 1, 1, 0.5)


def test_trials_are_reduced_first_and_clustered_by_item():
    values = [(True, True, True), (True, False, False), (False, False, True)]
    trials = [
        trial(index, Score("s", value), number=number)
        for index, given in enumerate(values)
        for number, value in enumerate(given, 1)
    ]
    found = summarized(trials)["s"]
    assert (found.n, found.clusters) == (9, 3)
    assert found.mean == pytest.approx(5 / 9)
    flat = [float(value) for given in values for value in given]
    by_item = clustered(flat, [index for index in range(3) for _ in range(3)])
    assert found.standard_error == pytest.approx(by_item.standard_error)
    every = summarized(trials, Reducers({"s": Reducer(Reduction.PASS_HAT_K, k=3)}))["s"]
    assert every.mean == pytest.approx(1 / 3)
    assert (every.n, every.max) == (9, 1.0)


def test_an_item_whose_trials_all_failed_does_not_pass():
    reducers = Reducers({"s": Reducer(Reduction.AT_LEAST_K, k=1)})
    trials = [
        trial(0, failed=True),
        trial(0, number=2, failed=True),
        trial(1, Score("s", True)),
        trial(1, number=2, failed=True),
        trial(2, failed=True),
        trial(2, number=2, failed=True),
    ]
    found = summarized(trials, reducers)["s"]
    assert found.mean == pytest.approx(1 / 3)
    assert (found.n, found.clusters) == (1, 3)


def test_standard_errors_are_clustered_where_items_belong_together():
    values = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    clusters = ["a", "a", "b", "b", "c", "c"]
    trials = [
        trial(index, Score("s", value), cluster=cluster)
        for index, (value, cluster) in enumerate(zip(values, clusters, strict=True))
    ]
    found = summarized(trials)["s"]
    assert found.clusters == 3
    assert found.standard_error == pytest.approx(clustered(values, clusters).standard_error)
    assert found.interval is not None
    assert found.interval.high - found.interval.low > 0.8


def test_a_rate_that_does_not_scatter_still_has_an_interval():
    trials = [trial(index, Score("s", True), number=number) for index in range(20) for number in (1, 2, 3)]
    interval = summarized(trials)["s"].interval
    assert interval is not None
    assert interval.high == 1.0
    assert 0.7 < interval.low < 0.9


def test_a_hundred_thousand_items_take_little_memory():
    summarizer = Summarizer(NONE)
    for first in range(0, 100_000, 10_000):
        summarizer.add([trial(index, Score("s", index / 1e5)) for index in range(first, first + 10_000)])
    found = summarizer.summaries()["s"]
    assert found.n == 100_000
    assert math.isclose(found.mean or 0, 0.499995)


def test_numbers_too_large_to_compute_with_spoil_nothing():
    found = of_values(1.7e308, -1.7e308, 1.7e308, 1e308)
    assert (found.n, found.min, found.max) == (4, -1.7e308, 1.7e308)
    assert (found.mean, found.standard_error, found.interval, found.quantiles) == (None, None, None, ())
