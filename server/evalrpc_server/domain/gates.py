"""Gates: what must hold for a run to pass, and what became of it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.spec.verdicts import (
    BaselineGate,
    Gate,
    GateComparison,
    GateStatistic,
    ThresholdGate,
)
from evalrpc_server.domain.statistics.comparison import EvaluationComparison, Verdict
from evalrpc_server.domain.statistics.summaries import EvaluationSummary

_SIGNS = {
    GateComparison.AT_LEAST: ">=",
    GateComparison.GREATER: ">",
    GateComparison.AT_MOST: "<=",
    GateComparison.LESS: "<",
}
_HOLDS: Mapping[GateComparison, Callable[[float, float], bool]] = {
    GateComparison.AT_LEAST: operator.ge,
    GateComparison.GREATER: operator.gt,
    GateComparison.AT_MOST: operator.le,
    GateComparison.LESS: operator.lt,
}
_WORDS = {
    GateStatistic.MEAN: "mean",
    GateStatistic.LOWER_BOUND: "lower bound",
    GateStatistic.UPPER_BOUND: "upper bound",
    GateStatistic.MIN: "minimum",
    GateStatistic.MAX: "maximum",
    GateStatistic.ERROR_RATE: "error rate",
}


class GateResult(Struct, frozen=True, kw_only=True):
    """What became of a gate.

    Attributes:
        name: of the gate.
        passed: whether it holds.
        message: what was compared with what, in one sentence.
        value: what was compared; None where there is nothing to compare, and the gate fails.
        verdict: of a baseline gate.
    """

    name: str
    passed: bool
    message: str
    value: float | None = None
    verdict: Verdict | None = None


def gate_name(gate: Gate) -> str:
    """Returns a gate's name: its own, or its rule in words."""
    if gate.name:
        return gate.name
    if gate.threshold is not None:
        bound = gate.threshold
        return f"{gate.evaluation} {_WORDS[bound.statistic]} {_SIGNS[bound.comparison]} {bound.value:g}"
    assert gate.baseline is not None, "a gate has one of the rules"
    rule = gate.baseline
    side, sign = ("above", "+") if rule.lower_is_better else ("below", "-")
    margin = f" {sign} {rule.margin:g}" if rule.margin else ""
    return f"{gate.evaluation} not {side} {rule.experiment}{margin}"


def missed(gate: Gate, why: str) -> GateResult:
    """Returns the result of a gate that there is nothing to compare for."""
    return GateResult(name=gate_name(gate), passed=False, message=why)


def judge_threshold(
    gate: Gate,
    rule: ThresholdGate,
    summaries: Mapping[str, EvaluationSummary],
    run_evaluations: Sequence[Evaluation],
    results: int,
) -> GateResult:
    """Compares a value with its bound. An item evaluation goes before a run evaluation of the same name.

    Args:
        gate: whose rule it is.
        rule: the bound.
        summaries: of the item evaluations.
        run_evaluations: what the run evaluators said.
        results: trials with a result, failed ones included.
    """
    given = next((each for each in run_evaluations if each.name == gate.evaluation), None)
    summary = summaries.get(gate.evaluation)
    if summary is None and given is None and rule.statistic is GateStatistic.ERROR_RATE:
        summary = EvaluationSummary()  # every result lacks it, as where all tasks failed
    if summary is not None:
        what = f"the {_WORDS[rule.statistic]} of {gate.evaluation}"
        value = _statistic(summary, rule.statistic, results)
        over = f" over {summary.n} of {results} results"
    else:
        what, over = gate.evaluation, ""
        if given is None:
            return missed(gate, f"there is no evaluation named {gate.evaluation}")
        if given.error is not None:
            return missed(gate, f"{what} has no value: {given.error.message}")
        value = None if isinstance(given.value, str | None) else float(given.value)
    if value is None:
        return missed(gate, f"{what} has no value to compare")
    passed = _HOLDS[rule.comparison](value, rule.value)
    wanted = f"{_SIGNS[rule.comparison]} {rule.value:g}"
    relation = "as wanted" if passed else "but should be"
    return GateResult(
        name=gate_name(gate),
        passed=passed,
        message=f"{what} is {value:.6g}{over}, {relation} {wanted}",
        value=value,
    )


def _statistic(summary: EvaluationSummary, statistic: GateStatistic, results: int) -> float | None:
    interval = summary.interval
    match statistic:
        case GateStatistic.MEAN:
            return summary.mean
        case GateStatistic.LOWER_BOUND:
            return interval.low if interval else None
        case GateStatistic.UPPER_BOUND:
            return interval.high if interval else None
        case GateStatistic.MIN:
            return summary.min
        case GateStatistic.MAX:
            return summary.max
        case GateStatistic.ERROR_RATE:
            missing = results - summary.n - summary.unscored
            return max(0, missing) / results if results else None


def judge_baseline(gate: Gate, rule: BaselineGate, comparison: EvaluationComparison | None) -> GateResult:
    """Compares a run with its baseline; None where not both have values of the evaluation."""
    if comparison is None:
        return missed(gate, f"{gate.evaluation} has no values in both runs to compare")
    verdict = comparison.verdict
    passed = verdict is not Verdict.REGRESSED and not (
        verdict is Verdict.INCONCLUSIVE and rule.fail_when_inconclusive
    )
    return GateResult(
        name=gate_name(gate),
        passed=passed,
        message=f"{verdict}: {describe(comparison, rule.experiment)}",
        value=comparison.difference,
        verdict=verdict,
    )


def describe(comparison: EvaluationComparison, baseline: object) -> str:
    """Says in one sentence how a candidate stands to its baseline."""
    text = (
        f"the mean of {comparison.name} is {comparison.candidate_mean:.6g} after {comparison.baseline_mean:.6g} in {baseline}"
        f" over {comparison.n} items"
    )
    if comparison.paired is not None:
        interval = comparison.paired.interval
        text += (
            f"; difference {comparison.difference:+.6g}, {interval.confidence:.4g} interval"
            f" {interval.low:+.4g} to {interval.high:+.4g}"
        )
        if comparison.verdict is Verdict.INCONCLUSIVE:
            text += f", with a power of 0.8 so many items show {comparison.paired.detectable:.4g}"
    if comparison.baseline_only:
        text += f"; {comparison.baseline_only} more items have a value in the baseline alone"
    return text
