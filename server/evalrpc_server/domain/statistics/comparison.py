"""Comparison: what sets two runs apart, evaluation by evaluation, and the verdict on it."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from math import isnan

from msgspec import Struct, field
from msgspec.structs import replace

from evalrpc_server.domain.statistics.distributions import sign_test
from evalrpc_server.domain.statistics.intervals import DEFAULT_CONFIDENCE
from evalrpc_server.domain.statistics.moments import correlation, total
from evalrpc_server.domain.statistics.paired import PairedDifference, holm, paired_difference
from evalrpc_server.domain.statistics.scores import Reduced, matched
from evalrpc_server.domain.statistics.summaries import is_boolean


class Verdict(StrEnum):
    """How a candidate stands to its baseline."""

    PASS = "PASS"  # noqa: S105  a verdict, not a password
    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"


class Rules(Struct, frozen=True):
    """How runs are compared.

    Attributes:
        margins: by how much a candidate may be worse, by evaluation.
        margin: the same for all other evaluations.
        confidence: of intervals and verdicts.
        max_flips: how many items to name per evaluation.
        evaluations: the only ones to compare; empty for all.
        lower_is_better: the evaluations of which less is better.
    """

    margins: Mapping[str, float] = field(default_factory=dict)
    margin: float = 0.0
    confidence: float = DEFAULT_CONFIDENCE
    max_flips: int = 20
    evaluations: Collection[str] = ()
    lower_is_better: Collection[str] = ()

    def margin_of(self, name: str) -> float:
        """Returns the margin of an evaluation."""
        return self.margins.get(name, self.margin)


class FlippedItem(Struct, frozen=True):
    """An item whose value changed: its places in both runs, and both values."""

    baseline_place: int
    candidate_place: int
    baseline_value: float
    candidate_value: float


class EvaluationComparison(Struct, frozen=True, kw_only=True):
    """One evaluation in both runs, over the items that have a value in both.

    Attributes:
        name: of the evaluation.
        verdict: against the margin.
        n: the items that have a value in both runs.
        baseline_mean: over them; `candidate_mean` likewise.
        paired: the difference of the means; None for fewer than two items, or clusters.
        adjusted_p_value: `paired.p_value` corrected for the number of evaluations.
        correlation: of both runs' values; None where a side does not vary.
        margin: by how much the candidate may be worse.
        lower_is_better: whether less is better.
        gained: items whose value became better; `lost`: worse.
        baseline_only: matched items with a value in the baseline alone; `candidate_only`: in the candidate alone.
        flips: the items whose value changed most, losses first.
    """

    name: str
    verdict: Verdict
    n: int
    baseline_mean: float
    candidate_mean: float
    paired: PairedDifference | None
    adjusted_p_value: float | None
    correlation: float | None
    margin: float
    lower_is_better: bool
    gained: int
    lost: int
    baseline_only: int
    candidate_only: int
    flips: Sequence[FlippedItem]

    @property
    def difference(self) -> float:
        """The mean of the differences, candidate less baseline."""
        return self.candidate_mean - self.baseline_mean if self.paired is None else self.paired.difference


class RunComparison(Struct, frozen=True, kw_only=True):
    """Two runs side by side.

    Attributes:
        evaluations: by name.
        matched_items: how many items both have.
        only_in_baseline: ids that only the baseline has, the first ones; `only_in_candidate` likewise.
    """

    evaluations: Sequence[EvaluationComparison]
    matched_items: int
    only_in_baseline: Sequence[str]
    only_in_candidate: Sequence[str]


MAX_UNMATCHED = 1000
"""How many ids of items that only one run has are told."""


def compare(baseline: Reduced, candidate: Reduced, rules: Rules) -> RunComparison:
    """Compares two runs item by item. Items are matched by id; the first of an id counts."""
    pairs = matched(baseline.ids, candidate.ids)
    shared = baseline.columns.keys() & candidate.columns.keys()
    names = sorted(shared & set(rules.evaluations) if rules.evaluations else shared)
    found = [_compare_one(name, baseline, candidate, pairs, rules) for name in names]
    tested = [place for place, one in enumerate(found) if one.paired is not None]
    corrected = holm([one.paired.p_value for one in found if one.paired is not None])
    for place, p_value in zip(tested, corrected, strict=True):
        found[place] = _judged(replace(found[place], adjusted_p_value=p_value), rules.confidence)
    return RunComparison(
        evaluations=found,
        matched_items=len(pairs),
        only_in_baseline=_unmatched(baseline.ids, candidate.ids),
        only_in_candidate=_unmatched(candidate.ids, baseline.ids),
    )


def _unmatched(ids: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(others)
    found: list[str] = []
    for item_id in ids:
        if item_id not in known:
            found.append(item_id)
            if len(found) == MAX_UNMATCHED:
                break
    return found


def _compare_one(
    name: str, baseline: Reduced, candidate: Reduced, pairs: Sequence[tuple[int, int]], rules: Rules
) -> EvaluationComparison:
    before_column, after_column = baseline.columns[name], candidate.columns[name]
    befores, afters = array("d"), array("d")
    places: list[tuple[int, int]] = []
    baseline_only = candidate_only = 0
    before_values = before_column.padded(len(baseline.ids))
    after_values = after_column.padded(len(candidate.ids))
    for pair in pairs:
        before, after = before_values[pair[0]], after_values[pair[1]]
        none_before, none_after = isnan(before), isnan(after)  # NaN stands for no value
        if not (none_before or none_after):
            befores.append(before)
            afters.append(after)
            places.append(pair)
        elif not none_before:
            baseline_only += 1
        elif not none_after:
            candidate_only += 1
    n, lower = len(places), name in rules.lower_is_better
    rose = sum(after > before for before, after in zip(befores, afters, strict=True))
    fell = sum(after < before for before, after in zip(befores, afters, strict=True))
    rate = before_column.rate and after_column.rate
    clusters = [baseline.clusters[place] for place, _ in places] if baseline.clusters else ()
    return EvaluationComparison(
        name=name,
        verdict=Verdict.INCONCLUSIVE,
        n=n,
        baseline_mean=total(befores) / n if n else 0.0,
        candidate_mean=total(afters) / n if n else 0.0,
        paired=paired_difference(
            befores,
            afters,
            boolean=rate and is_boolean(befores) and is_boolean(afters),
            rate=rate,
            clusters=clusters,
            confidence=rules.confidence,
        ),
        adjusted_p_value=None,
        correlation=correlation(befores, afters),
        margin=rules.margin_of(name),
        lower_is_better=lower,
        gained=fell if lower else rose,
        lost=rose if lower else fell,
        baseline_only=baseline_only,
        candidate_only=candidate_only,
        flips=_flips(befores, afters, places, rules.max_flips, sign=-1 if lower else 1),
    )


def _flips(
    befores: Sequence[float],
    afters: Sequence[float],
    places: Sequence[tuple[int, int]],
    count: int,
    *,
    sign: int,
) -> list[FlippedItem]:
    """Returns the items that changed most: losses first, the greatest first, then gains."""

    def rank(number: int) -> tuple[bool, float, int]:
        change = sign * (afters[number] - befores[number])
        return change > 0, -abs(change), number

    changed = (number for number in range(len(places)) if befores[number] != afters[number])
    return [
        FlippedItem(*places[number], befores[number], afters[number])
        for number in heapq.nsmallest(count, changed, key=rank)
    ]


def _judged(comparison: EvaluationComparison, confidence: float) -> EvaluationComparison:
    """Returns a comparison with its verdict.

    The interval decides against the margin (non-inferiority, as of Schuirmann 1987). That a candidate is worse, or better, is
    said only where the p value, corrected for the number of evaluations, agrees; so that ten evaluations together raise no
    more false alarms than one. Where significantly more items lost their value than gained one, those left are no fair
    sample, and nothing good is said.
    """
    paired, adjusted = comparison.paired, comparison.adjusted_p_value
    assert paired is not None, "only what was tested is judged"
    assert adjusted is not None, "only what was tested is judged"
    significant = adjusted < 1 - confidence
    worst, best = paired.interval.low, paired.interval.high
    if comparison.lower_is_better:
        worst, best = -best, -worst
    verdict = Verdict.INCONCLUSIVE
    if best < -comparison.margin and significant:
        verdict = Verdict.REGRESSED
    elif not _lost_values(comparison, confidence):
        if worst > 0 and significant:
            verdict = Verdict.IMPROVED
        elif worst >= -comparison.margin:
            verdict = Verdict.PASS
    return replace(comparison, verdict=verdict)


def _lost_values(comparison: EvaluationComparison, confidence: float) -> bool:
    lost, won = comparison.baseline_only, comparison.candidate_only
    return lost > won and sign_test(lost, won) < 1 - confidence
