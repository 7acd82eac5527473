"""Comparisons of runs, and the verdicts on them."""

from __future__ import annotations

import random

import pytest

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.comparison import (
    Rules,
    Verdict,
    compare,
)
from evalrpc_server.domain.statistics.paired import Test
from evalrpc_server.domain.statistics.planning import (
    Variances,
    expected_variances,
    items_needed,
    measured_variances,
    scatter,
)
from evalrpc_server.domain.statistics.scores import Reduced, Score, TrialScores
from evalrpc_server.domain.statistics.trials import Reducers

NONE = Reducers({})


def run(values: dict[str, list[Value | None]], *, first: int = 0, clusters: int = 0) -> Reduced:
    """A run of items `item-0`, `item-1`, ... with these values; a value None is missing."""
    reduced = Reduced(NONE)
    for place in range(max(map(len, values.values()))):
        scores = tuple(Score(name, given[place]) for name, given in values.items())
        cluster = str(place % clusters) if clusters else None
        reduced.add([TrialScores(place, f"item-{place + first}", 1, False, scores, cluster)])
    return reduced


def compared(before: list[Value | None], after: list[Value | None], rules: Rules | None = None):
    found = compare(run({"s": before}), run({"s": after}), rules or Rules())
    (one,) = found.evaluations
    return one


def booleans(right: int, wrong: int) -> list[Value | None]:
    return [place < right for place in range(right + wrong)]


def test_a_clear_loss_is_a_regression_and_a_clear_gain_an_improvement():
    worse = compared(booleans(90, 10), booleans(60, 40))
    assert worse.verdict is Verdict.REGRESSED
    assert (worse.n, worse.gained, worse.lost) == (100, 0, 30)
    assert (worse.baseline_mean, worse.candidate_mean) == (0.9, 0.6)
    assert worse.difference == pytest.approx(-0.3)
    assert worse.paired is not None
    assert worse.paired.test is Test.MCNEMAR_EXACT
    assert compared(booleans(60, 40), booleans(90, 10)).verdict is Verdict.IMPROVED


def test_what_the_data_do_not_tell_is_inconclusive():
    found = compared(booleans(85, 15), booleans(83, 17))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.paired is not None
    assert found.paired.detectable > 0.02
    assert compared([1.0], [0.0]).verdict is Verdict.INCONCLUSIVE
    assert compared([1.0], [0.0]).paired is None


def test_the_margin_decides_what_is_worse():
    before, after = booleans(500, 500), booleans(490, 510)
    assert compared(before, after, Rules(margin=0.05)).verdict is Verdict.PASS
    assert compared(before, after, Rules(margin=0.0)).verdict is Verdict.REGRESSED
    assert compared(before, after, Rules(margins={"s": 0.05})).verdict is Verdict.PASS
    assert compared(before, after, Rules(margins={"other": 0.05})).verdict is Verdict.REGRESSED


def test_numbers_are_tested_by_their_signs_when_they_are_few():
    drawn = random.Random(1)
    before: list[Value | None] = [drawn.random() for _ in range(20)]
    after: list[Value | None] = [value - 0.3 for value in before if isinstance(value, float)]
    few = compared(before, after)
    assert few.paired is not None
    assert few.paired.test is Test.SIGN_FLIP
    assert few.verdict is Verdict.REGRESSED
    many = compared(before * 2, after * 2)
    assert many.paired is not None
    assert many.paired.test is Test.PAIRED_T
    assert many.correlation == pytest.approx(1.0)


def test_the_same_answers_pass_where_nothing_varies_and_where_a_margin_allows_for_chance():
    assert compared([3.0] * 40, [3.0] * 40).verdict is Verdict.PASS
    assert compared(booleans(90, 10), booleans(90, 10)).verdict is Verdict.INCONCLUSIVE
    assert compared(booleans(90, 10), booleans(90, 10), Rules(margin=0.05)).verdict is Verdict.PASS


def test_less_can_be_better():
    drawn = random.Random(4)
    before: list[Value | None] = [drawn.gauss(1.0, 0.2) for _ in range(60)]
    slower = [value + drawn.gauss(0.3, 0.1) for value in before if isinstance(value, float)]
    rules = Rules(lower_is_better={"s"}, margin=0.1, max_flips=60)
    worse, better = compared(before, [*slower], rules), compared([*slower], before, rules)
    assert (worse.verdict, better.verdict) == (Verdict.REGRESSED, Verdict.IMPROVED)
    assert worse.difference > 0.2
    assert worse.lost == better.gained > 55
    assert worse.flips[0].candidate_value > worse.flips[0].baseline_value
    assert compared(before, [*slower], Rules(lower_is_better={"s"}, margin=0.5)).verdict is Verdict.PASS


def test_numbers_too_large_to_compute_with_are_inconclusive():
    found = compared([1.7e308, -1.7e308, 0.0], [-1.7e308, 1.7e308, 1.0])
    assert (found.verdict, found.paired, found.correlation, found.n) == (Verdict.INCONCLUSIVE, None, None, 3)


def test_many_evaluations_raise_no_more_false_alarms_than_one():
    names = [f"s{number}" for number in range(10)]
    before: dict[str, list[Value | None]] = {name: booleans(90, 10) for name in names}
    after = {**before, "s0": booleans(82, 18)}
    alone = compare(run({"s0": before["s0"]}), run({"s0": after["s0"]}), Rules()).evaluations[0]
    together = compare(run(before), run(after), Rules()).evaluations[0]
    assert alone.verdict is Verdict.REGRESSED
    assert alone.adjusted_p_value == pytest.approx(2 / 2**8)
    assert together.adjusted_p_value == pytest.approx(10 * 2 / 2**8)
    assert together.verdict is Verdict.INCONCLUSIVE


def test_items_are_matched_by_id():
    found = compare(
        run({"s": [1.0, 2.0, 3.0]}), run({"s": [2.0, 3.5, 9.0, 8.0]}, first=1), Rules(max_flips=5)
    )
    assert found.matched_items == 2
    assert found.only_in_baseline == ["item-0"]
    assert found.only_in_candidate == ["item-3", "item-4"]
    (one,) = found.evaluations
    assert (one.n, one.baseline_mean, one.candidate_mean) == (2, 2.5, 2.75)
    assert [(flip.baseline_value, flip.candidate_value) for flip in one.flips] == [(3.0, 3.5)]


def test_flips_are_losses_first_and_the_greatest_first():
    found = compared([0.0, 5.0, 5.0, 1.0, 2.0], [9.0, 4.0, 1.0, 1.0, 3.0], Rules(max_flips=3))
    assert [(flip.baseline_value, flip.candidate_value) for flip in found.flips] == [(5, 1), (5, 4), (0, 9)]
    assert (found.gained, found.lost) == (2, 2)


def test_only_what_both_runs_have_is_compared():
    before = run({"a": [1.0, 2.0], "b": [1.0, 1.0], "label": ["x", "y"]})
    after = run({"a": [1.0, 2.0], "c": [1.0, 1.0], "label": ["x", "y"]})
    assert [one.name for one in compare(before, after, Rules()).evaluations] == ["a"]
    assert not compare(before, after, Rules(evaluations=("b",))).evaluations


def test_a_candidate_that_fails_where_it_is_hard_does_not_improve():
    before: list[Value | None] = [*booleans(50, 50)]
    after: list[Value | None] = [*[True] * 50, *[None] * 35, *[True] * 15]
    found = compared(before, after)
    assert (found.n, found.baseline_only, found.candidate_only) == (65, 35, 0)
    assert found.paired is not None
    assert found.paired.interval.low > 0
    assert found.verdict is Verdict.INCONCLUSIVE
    some: list[Value | None] = [*[True] * 50, *[None] * 2, *[True] * 48]
    assert compared(before, some).verdict is Verdict.IMPROVED


def test_items_that_belong_together_tell_less():
    before = [drawn.random() for drawn in [random.Random(2)] for _ in range(100)]
    shifts = [random.Random(3 + place % 5).gauss(-0.05, 0.1) for place in range(100)]
    after = [value + shift for value, shift in zip(before, shifts, strict=True)]
    alone, together = (
        compare(run({"s": list(before)}, clusters=clusters), run({"s": list(after)}), Rules()).evaluations[0]
        for clusters in (0, 5)
    )
    assert alone.paired is not None
    assert together.paired is not None
    assert together.paired.standard_error > 2 * alone.paired.standard_error


def test_the_plan_of_millers_example():
    # Miller 2024 with w^2 = 1/9, s^2 = 1/6 for both, 3 points, 80 % power.
    variances = Variances(between_items=1 / 9, baseline_within_item=1 / 6, candidate_within_item=1 / 6)

    def items(trials: int) -> int:
        return items_needed(0.03, variances, trials=trials, power=0.8, significance=0.05)

    assert [items(trials) for trials in (1, 5, 10, 10**9)] == [3876, 1551, 1260, 969]


def test_variances_are_measured_from_trials():
    drawn = random.Random(7)
    means = [drawn.gauss(0, 0.5) for _ in range(4000)]
    before = [[mean + drawn.gauss(0, 0.3) for _ in range(3)] for mean in means]
    after = [[mean + drawn.gauss(0.1, 0.2) + drawn.gauss(0, 0.4) for _ in range(4)] for mean in means]
    one, other = scatter(before), scatter(after)
    assert one.within_item == pytest.approx(0.09, rel=0.05)
    assert one.between_items == pytest.approx(0.25, rel=0.05)
    assert expected_variances(one).between_items == one.between_items
    differences = [sum(y) / 4 - sum(x) / 3 for x, y in zip(before, after, strict=True)]
    mean = sum(differences) / len(differences)
    variance = sum((each - mean) ** 2 for each in differences) / (len(differences) - 1)
    found = measured_variances(one, other, variance, pairs=len(differences))
    assert found.candidate_within_item == pytest.approx(
        0.2, rel=0.06
    )  # both draws differ from trial to trial
    assert found.between_items < 0.01
