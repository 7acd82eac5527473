"""Comparisons and plans from and to messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message
from pydantic import BaseModel

from evalrpc.v1 import comparison_pb2, comparison_requests_pb2
from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.spec.verdicts import ComparisonSpec, PlanSpec
from evalrpc_server.domain.statistics.comparison import EvaluationComparison, RunComparison
from evalrpc_server.domain.statistics.planning import Variances
from evalrpc_server.protobuf.documents import Encoding, document_to_message
from evalrpc_server.protobuf.items import item_to_message
from evalrpc_server.protobuf.spec import model_from_message
from evalrpc_server.protobuf.summaries import interval_to_message, verdict_to_number

_Model = TypeVar("_Model", bound=BaseModel)


def comparison_from_message(
    message: comparison_requests_pb2.CompareExperimentsRequest,
) -> tuple[ComparisonSpec | None, list[Violation]]:
    """Reads which runs to compare and how, and everything that is wrong with it."""
    return _read(ComparisonSpec, message, "experiments")


def plan_from_message(
    message: comparison_requests_pb2.PlanExperimentRequest,
) -> tuple[PlanSpec | None, list[Violation]]:
    """Reads what to plan for, and everything that is wrong with it."""
    return _read(PlanSpec, message, "variances")


def _read(model: type[_Model], message: Message, whole: str) -> tuple[_Model | None, list[Violation]]:
    """Reads a request; what is wrong with the whole of it is told of the field `whole`."""
    found, violations = model_from_message(model, message, path="")
    return found, [Violation(each.path.removeprefix(".") or whole, each.description) for each in violations]


def comparison_to_message(
    baseline: str, candidate: str, found: RunComparison, flips: Sequence[Sequence[comparison_pb2.Flip]]
) -> comparison_pb2.Comparison:
    """Writes a comparison; `flips` are those of each evaluation, in its order."""
    return comparison_pb2.Comparison(
        baseline=baseline,
        candidate=candidate,
        evaluations=[_evaluation(each, shown) for each, shown in zip(found.evaluations, flips, strict=True)],
        matched_items=found.matched_items,
        only_in_baseline=found.only_in_baseline,
        only_in_candidate=found.only_in_candidate,
    )


def _evaluation(
    comparison: EvaluationComparison, flips: Sequence[comparison_pb2.Flip]
) -> comparison_pb2.EvaluationComparison:
    message = comparison_pb2.EvaluationComparison(
        name=comparison.name,
        verdict=verdict_to_number(comparison.verdict),
        n=comparison.n,
        baseline_mean=comparison.baseline_mean,
        candidate_mean=comparison.candidate_mean,
        difference=comparison.difference,
        adjusted_p_value=comparison.adjusted_p_value,
        correlation=comparison.correlation,
        margin=comparison.margin,
        gained=comparison.gained,
        lost=comparison.lost,
        baseline_only=comparison.baseline_only,
        candidate_only=comparison.candidate_only,
        flips=flips,
    )
    if (paired := comparison.paired) is not None:
        message.standard_error = paired.standard_error
        message.interval.CopyFrom(interval_to_message(paired.interval))
        message.p_value = paired.p_value
        message.test = comparison_pb2.ComparisonTest.Value(f"COMPARISON_TEST_{paired.test}")
        message.minimum_detectable_difference = paired.detectable
    return message


def flip_to_message(
    item: Item,
    values: tuple[float, float],
    outputs: tuple[Document | None, Document | None],
    encoding: Encoding,
) -> comparison_pb2.Flip:
    """Writes an item whose value changed: the values and outputs are the baseline's and the candidate's."""
    before, after = (None if output is None else document_to_message(output, encoding) for output in outputs)
    return comparison_pb2.Flip(
        item=item_to_message(item, encoding),
        baseline_value=values[0],
        candidate_value=values[1],
        baseline_output=before,
        candidate_output=after,
    )


def plans_to_message(
    plans: Sequence[tuple[int, int]], variances: Variances
) -> comparison_requests_pb2.PlanExperimentResponse:
    """Writes plans, each so many trials of so many items."""
    return comparison_requests_pb2.PlanExperimentResponse(
        plans=[
            comparison_requests_pb2.ExperimentPlan(trials=trials, items=items, task_calls=trials * items)
            for trials, items in plans
        ],
        variances=comparison_requests_pb2.GivenVariances(
            between_items=variances.between_items,
            baseline_within_item=variances.baseline_within_item,
            candidate_within_item=variances.candidate_within_item,
        ),
    )
