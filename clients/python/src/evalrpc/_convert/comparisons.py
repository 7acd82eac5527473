"""Reads comparisons and plans, and writes the requests for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalrpc._convert.item_results import item_from_message
from evalrpc._documents import text_of
from evalrpc._model.comparison import (
    Comparison,
    EvaluationComparison,
    ExperimentPlan,
    Flip,
    LangfuseRun,
    Plans,
    Variances,
    Verdict,
)
from evalrpc._model.experiment import Experiment
from evalrpc.v1 import comparison_pb2, comparison_requests_pb2

RunLike = str | Experiment | LangfuseRun
"""A run to compare: an experiment, its id, or a run that Langfuse has."""


def compare_request(
    runs: Sequence[RunLike],
    *,
    evaluations: Sequence[str],
    margin: float,
    margins: Mapping[str, float] | None,
    confidence: float | None,
    cluster_by: str | None,
    max_flips: int | None,
    lower_is_better: Sequence[str],
) -> comparison_requests_pb2.CompareExperimentsRequest:
    """Returns the request that sets runs beside the first of them."""
    return comparison_requests_pb2.CompareExperimentsRequest(
        experiments=[_reference(run) for run in runs],
        evaluations=evaluations,
        margin=margin,
        margins=margins,
        confidence=confidence,
        cluster_by=cluster_by or "",
        max_flips=max_flips,
        lower_is_better=lower_is_better,
    )


def plan_request(
    difference: float,
    *,
    experiment_id: str | None,
    evaluation: str | None,
    candidate_id: str | None,
    variances: Variances | None,
    trials: Sequence[int],
    power: float | None,
    significance: float | None,
) -> comparison_requests_pb2.PlanExperimentRequest:
    """Returns the request that plans an experiment.

    Raises:
        ValueError: not exactly one source of variances is given.
    """
    if (experiment_id is None) == (variances is None):
        raise ValueError("give either experiment_id, with the evaluation, or variances")
    request = comparison_requests_pb2.PlanExperimentRequest(
        difference=difference, power=power, significance=significance, trials=trials
    )
    if variances is not None:
        request.given.between_items = variances.between_items
        request.given.baseline_within_item = variances.baseline_within_item
        request.given.candidate_within_item = variances.candidate_within_item
    else:
        request.measured.experiment_id = experiment_id or ""
        request.measured.evaluation = evaluation or ""
        request.measured.candidate_id = candidate_id or ""
    return request


def _reference(run: RunLike) -> comparison_pb2.ExperimentRef:
    if isinstance(run, LangfuseRun):
        recorded = comparison_pb2.LangfuseRun(
            dataset=run.dataset, run_name=run.run_name, project=run.project or ""
        )
        return comparison_pb2.ExperimentRef(langfuse_run=recorded)
    return comparison_pb2.ExperimentRef(id=run.id if isinstance(run, Experiment) else run)


def comparisons_from_message(
    message: comparison_requests_pb2.CompareExperimentsResponse,
) -> tuple[Comparison, ...]:
    """Reads comparisons, one for each candidate."""
    return tuple(
        Comparison(
            baseline=each.baseline,
            candidate=each.candidate,
            evaluations=tuple(_evaluation(one) for one in each.evaluations),
            matched_items=each.matched_items,
            only_in_baseline=tuple(each.only_in_baseline),
            only_in_candidate=tuple(each.only_in_candidate),
        )
        for each in message.comparisons
    )


def verdict_from_number(number: int) -> Verdict:
    """Reads a verdict; one that this version does not know is UNSPECIFIED."""
    return _VERDICTS.get(number, Verdict.UNSPECIFIED)


_VERDICTS: dict[int, Verdict] = {
    comparison_pb2.Verdict.Value(f"VERDICT_{verdict}"): verdict for verdict in Verdict
}


def _evaluation(message: comparison_pb2.EvaluationComparison) -> EvaluationComparison:
    has = message.HasField
    test = comparison_pb2.ComparisonTest.Name(message.test) if message.test else ""
    return EvaluationComparison(
        name=message.name,
        verdict=verdict_from_number(message.verdict),
        n=message.n,
        baseline_mean=message.baseline_mean,
        candidate_mean=message.candidate_mean,
        difference=message.difference,
        standard_error=message.standard_error if has("standard_error") else None,
        interval=(message.interval.low, message.interval.high) if has("interval") else None,
        p_value=message.p_value if has("p_value") else None,
        adjusted_p_value=message.adjusted_p_value if has("adjusted_p_value") else None,
        test=test.removeprefix("COMPARISON_TEST_") or None,
        correlation=message.correlation if has("correlation") else None,
        minimum_detectable_difference=(
            message.minimum_detectable_difference if has("minimum_detectable_difference") else None
        ),
        margin=message.margin,
        gained=message.gained,
        lost=message.lost,
        baseline_only=message.baseline_only,
        candidate_only=message.candidate_only,
        flips=tuple(_flip(each) for each in message.flips),
    )


def _flip(message: comparison_pb2.Flip) -> Flip:
    has = message.HasField
    return Flip(
        item=item_from_message(message.item),
        baseline_value=message.baseline_value,
        candidate_value=message.candidate_value,
        baseline_output_json=text_of(message.baseline_output) if has("baseline_output") else None,
        candidate_output_json=text_of(message.candidate_output) if has("candidate_output") else None,
    )


def plans_from_message(message: comparison_requests_pb2.PlanExperimentResponse) -> Plans:
    """Reads plans."""
    found = message.variances
    return Plans(
        plans=tuple(ExperimentPlan(each.trials, each.items, each.task_calls) for each in message.plans),
        variances=Variances(found.between_items, found.baseline_within_item, found.candidate_within_item),
    )
