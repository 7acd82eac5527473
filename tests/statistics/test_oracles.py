"""The formulas, held to scipy and statsmodels."""

from __future__ import annotations

import itertools
import math
import random
import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from evalrpc_server.domain.statistics.distributions import (
    critical_normal,
    critical_student,
    incomplete_beta,
    sign_test,
    student_cdf,
    student_p_value,
)
from evalrpc_server.domain.statistics.intervals import mean_interval, rate_interval
from evalrpc_server.domain.statistics.moments import clustered, correlation, moments
from evalrpc_server.domain.statistics.paired import (
    Test,
    holm,
    paired_difference,
    rates_difference,
    sign_flip,
)
from evalrpc_server.domain.statistics.quantiles import PROBABILITIES, quantile

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.proportion import proportion_confint

CLOSE = 1e-9


def sample(count: int, seed: int) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.gauss(0.7, 0.2) for _ in range(count)]


@pytest.mark.parametrize("df", [1, 2, 2.5, 7, 29, 1000, 99_999, 1e9])
def test_students_distribution(df: float):
    for t in (-40, -3.1, -1, -1e-6, 0, 0.5, 2, 12):
        assert student_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-7, abs=1e-14)
    for confidence in (0.5, 0.8, 0.95, 0.999):
        wanted = stats.t.ppf((1 + confidence) / 2, df)
        assert critical_student(confidence, df) == pytest.approx(wanted, rel=1e-7)
    assert critical_normal(0.95) == pytest.approx(stats.norm.ppf(0.975), rel=CLOSE)


def test_the_incomplete_beta_function():
    grid = itertools.product((0.5, 1, 3, 40, 50_000), (0.5, 2, 41, 49_000), (0.0, 1e-5, 0.3, 0.5, 0.97, 1.0))
    for a, b, x in grid:
        wanted = float(stats.beta.cdf(x, a, b))
        assert incomplete_beta(a, b, x) == pytest.approx(wanted, rel=1e-7, abs=1e-14)


@pytest.mark.parametrize(
    ("passes", "n"), [(0, 5), (5, 5), (1, 2), (18, 20), (47, 50), (850, 1000), (99_999, 100_000)]
)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilsons_interval(passes: int, n: int, confidence: float):
    low, high = proportion_confint(passes, n, alpha=1 - confidence, method="wilson")
    found = rate_interval(passes / n, n, confidence=confidence)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 30, 500])
def test_the_interval_of_a_mean(count: int):
    values = sample(count, seed=count)
    found = moments(values)
    assert found.mean == pytest.approx(np.mean(values), rel=CLOSE)
    assert found.standard_deviation == pytest.approx(np.std(values, ddof=1), rel=CLOSE)
    assert found.standard_error == pytest.approx(stats.sem(values), rel=CLOSE)
    interval = mean_interval(found.mean, found.standard_error, df=count - 1, confidence=0.95)
    wanted = stats.t.interval(0.95, count - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx(wanted, rel=1e-7)


def test_no_digit_is_lost_to_a_large_mean():
    values = [1e9 + value for value in (4.0, 7.0, 13.0, 16.0)]
    assert moments(values).variance == 30.0


@pytest.mark.parametrize(("count", "groups"), [(20, 2), (60, 7), (300, 40)])
def test_the_clustered_standard_error(count: int, groups: int):
    drawn = random.Random(count)
    keys = [drawn.randrange(groups) for _ in range(count)]
    effects = [drawn.gauss(0, 0.3) for _ in range(groups)]
    values = [effects[key] + drawn.gauss(0, 0.1) for key in keys]
    found = clustered(values, keys)
    fitted = OLS(values, np.ones(count)).fit(cov_type="cluster", cov_kwds={"groups": np.array(keys)})
    assert found.clusters == len(set(keys))
    assert found.standard_error == pytest.approx(fitted.bse[0], rel=CLOSE)


def test_quantiles_and_correlation():
    values, others = sample(37, seed=1), sample(37, seed=2)
    ordered = sorted(values)
    for probability in (*PROBABILITIES, 0.0, 1.0):
        assert quantile(ordered, probability) == pytest.approx(np.quantile(values, probability), rel=CLOSE)
    assert correlation(values, others) == pytest.approx(stats.pearsonr(values, others).statistic, rel=CLOSE)
    assert correlation(values, [1.0] * 37) is None


@pytest.mark.parametrize("count", [30, 31, 400])
def test_the_paired_t_test(count: int):
    before, after = sample(count, seed=3), [value + 0.02 for value in sample(count, seed=4)]
    found = paired_difference(before, after, boolean=False, confidence=0.95)
    wanted = stats.ttest_rel(after, before)
    interval = wanted.confidence_interval(0.95)
    assert found is not None
    assert found.test is Test.PAIRED_T
    assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-7)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high), rel=1e-7)


@pytest.mark.parametrize("table", [(40, 0, 0, 9), (3, 1, 0, 2), (50, 12, 3, 20), (0, 31_000, 30_500, 4)])
def test_mcnemars_exact_test(table: tuple[int, int, int, int]):
    both, lost, gained, neither = table
    before = [1.0] * (both + lost) + [0.0] * (gained + neither)
    after = [1.0] * both + [0.0] * lost + [1.0] * gained + [0.0] * neither
    found = paired_difference(before, after, boolean=True, confidence=0.95)
    wanted = mcnemar([[both, lost], [gained, neither]], exact=True).pvalue
    assert found is not None
    assert found.test is Test.MCNEMAR_EXACT
    assert found.p_value == pytest.approx(wanted, rel=1e-7)
    assert sign_test(gained, lost) == pytest.approx(wanted, rel=1e-7)
    assert found.difference == pytest.approx((gained - lost) / sum(table))


@pytest.mark.parametrize("counts", [(7, 1, 21), (0, 0, 40), (3, 12, 100), (1, 0, 2), (900, 1100, 10_000)])
def test_tangos_interval_is_where_the_score_test_rejects(counts: tuple[int, int, int]):
    gained, lost, n = counts
    found, _ = rates_difference(gained, lost, n, 0.95)
    for end, wanted in ((found.low, 1.959964), (found.high, -1.959964)):
        # The score, with the rate that fits best found by a search instead of Tango's formula.
        def unlikelihood(rate: float, difference: float = end) -> float:
            terms = [
                (gained, rate + difference),
                (lost, rate),
                (n - gained - lost, 1 - 2 * rate - difference),
            ]
            return -sum(count * math.log(max(share, 1e-300)) for count, share in terms if count)

        bounds = max(0.0, -end), (1 - end) / 2
        best = minimize_scalar(unlikelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        variance = (2 * best + end - end * end) / n
        assert ((gained - lost) / n - end) / variance**0.5 == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("count", [2, 5, 11, 12])
def test_signs_are_flipped_as_by_an_exact_permutation_test(count: int):
    differences = [round(value - 0.6, 1) for value in sample(count, seed=5)]
    wanted = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True, axis=-1
    )
    assert sign_flip(differences) == pytest.approx(wanted.pvalue, rel=CLOSE)


def test_signs_of_29_differences_are_flipped_exactly():
    assert sign_flip([1.0] * 29) == 2 / 2**29
    assert sign_flip([1.0] * 15 + [-1.0] * 14) == 1.0
    assert sign_flip([0.0] * 10) == 1.0


def test_holms_correction():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.9, 0.03]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], rel=CLOSE)
    assert holm([]) == []


def test_a_p_value_is_two_sided():
    assert student_p_value(2.1, 12) == pytest.approx(2 * stats.t.sf(2.1, 12), rel=1e-8)
