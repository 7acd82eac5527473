"""Summaries and gates as messages."""

from __future__ import annotations

from evalrpc.v1 import comparison_pb2, gate_pb2, summary_pb2
from evalrpc_server.domain.gates import GateResult
from evalrpc_server.domain.statistics.comparison import Verdict
from evalrpc_server.domain.statistics.intervals import Interval
from evalrpc_server.domain.statistics.summaries import EvaluationSummary


def summary_to_message(name: str, summary: EvaluationSummary) -> summary_pb2.EvaluationSummary:
    """Writes the summary of one evaluation."""
    return summary_pb2.EvaluationSummary(
        name=name,
        n=summary.n,
        unscored=summary.unscored,
        errors=summary.errors,
        mean=summary.mean,
        standard_error=summary.standard_error,
        standard_deviation=summary.standard_deviation,
        interval=interval_to_message(summary.interval) if summary.interval else None,
        min=summary.min,
        max=summary.max,
        quantiles=[
            summary_pb2.Quantile(probability=each.probability, value=each.value) for each in summary.quantiles
        ],
        labels=summary.labels,
        clusters=summary.clusters,
    )


def interval_to_message(interval: Interval) -> summary_pb2.Interval:
    """Writes an interval."""
    return summary_pb2.Interval(low=interval.low, high=interval.high, confidence=interval.confidence)


def verdict_to_number(verdict: Verdict | None) -> comparison_pb2.Verdict.ValueType:
    """Returns the enum value of a verdict."""
    return comparison_pb2.Verdict.Value(f"VERDICT_{verdict or 'UNSPECIFIED'}")


def gate_to_message(result: GateResult) -> gate_pb2.GateResult:
    """Writes what became of a gate."""
    return gate_pb2.GateResult(
        name=result.name,
        passed=result.passed,
        message=result.message,
        value=result.value,
        verdict=verdict_to_number(result.verdict),
    )
