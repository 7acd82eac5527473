"""The agreement of two raters, against statsmodels and by simulation."""

from __future__ import annotations

import random
import warnings
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pytest

from evalrpc_server.domain.statistics.agreement import agreement

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from statsmodels.stats.inter_rater import cohens_kappa


def table(pairs: Sequence[tuple[Hashable, Hashable]]) -> Any:
    categories = sorted({str(each) for pair in pairs for each in pair})
    counts = np.zeros((len(categories), len(categories)))
    for one, other in pairs:
        counts[categories.index(str(one)), categories.index(str(other))] += 1
    return counts


@pytest.mark.parametrize(
    ("categories", "noise", "n"), [("ab", 0.2, 50), ("abcd", 0.4, 200), ("abc", 1.0, 30)]
)
def test_kappa_and_its_interval_are_those_of_statsmodels(categories: str, noise: float, n: int):
    source = random.Random(n)
    truth = source.choices(categories, k=n)
    pairs = [(each, source.choice(categories) if source.random() < noise else each) for each in truth]
    oracle = cohens_kappa(table(pairs))
    found = agreement(pairs)
    assert found.kappa == pytest.approx(oracle.kappa)
    assert found.kappa_interval is not None
    assert found.kappa_interval.low == pytest.approx(oracle.kappa_low)
    assert found.kappa_interval.high == pytest.approx(oracle.kappa_upp)


def test_what_chance_alone_would_give_has_no_kappa():
    found = agreement([(True, True)] * 10)
    assert (found.n, found.accuracy, found.kappa, found.kappa_interval) == (10, 1.0, None, None)
    assert found.accuracy_interval is not None
    assert found.accuracy_interval.low == pytest.approx(0.7225, abs=1e-4)
    assert agreement([]).accuracy is None


def test_perfect_and_reversed_verdicts_are_the_ends_of_kappa():
    assert agreement([(True, True), (False, False)] * 5).kappa == pytest.approx(1)
    assert agreement([(True, False), (False, True)] * 5).kappa == pytest.approx(-1)


def test_the_interval_of_kappa_holds_the_true_value_about_as_often_as_it_says():
    source, held, runs = random.Random(1), 0, 400
    for _ in range(runs):
        truth = [source.random() < 0.5 for _ in range(200)]
        pairs = [(each, each if source.random() < 0.8 else not each) for each in truth]
        interval = agreement(pairs).kappa_interval
        assert interval is not None
        held += interval.low <= 0.6 <= interval.high
    assert held / runs == pytest.approx(0.95, abs=0.035)
