"""Calls that look at whole runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from evalrpc._convert.comparisons import (
    RunLike,
    compare_request,
    comparisons_from_message,
    plan_request,
    plans_from_message,
)
from evalrpc._model.comparison import Comparison, Plans, Variances
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import experiment_service_pb2_grpc


class ComparisonCalls(ChannelOwner):
    """Compares runs, and plans experiments."""

    @cached_property
    def _experiments(self) -> experiment_service_pb2_grpc.ExperimentServiceStub:
        return experiment_service_pb2_grpc.ExperimentServiceStub(self._channel)

    def compare(
        self,
        baseline: RunLike,
        *candidates: RunLike,
        evaluations: Sequence[str] = (),
        margin: float = 0.0,
        margins: Mapping[str, float] | None = None,
        confidence: float | None = None,
        cluster_by: str | None = None,
        max_flips: int | None = None,
        lower_is_better: Sequence[str] = (),
    ) -> tuple[Comparison, ...]:
        """Sets runs beside a baseline, item by item, with paired statistics; one comparison for each candidate.

        Args:
            baseline: an experiment, its id, or a `LangfuseRun`.
            candidates: from one to nine others.
            evaluations: the only ones to compare; all by default.
            margin: by how much a candidate may be worse and still pass.
            margins: the same for single evaluations, by name.
            confidence: of intervals and verdicts; 0.95 by default.
            cluster_by: the path within item metadata that tells which items belong together; by default the baseline's.
            max_flips: how many changed items to return per evaluation; 20 by default.
            lower_is_better: the evaluations of which less is better, such as latency.

        Raises:
            NotFoundError: there is no such run.
            FailedPreconditionError: an experiment has not ended.
            InvalidRequestError: an argument is wrong.
        """
        request = compare_request(
            [baseline, *candidates],
            evaluations=evaluations,
            margin=margin,
            margins=margins,
            confidence=confidence,
            cluster_by=cluster_by,
            max_flips=max_flips,
            lower_is_better=lower_is_better,
        )
        return comparisons_from_message(self._call(self._experiments.CompareExperiments, request))

    def plan(
        self,
        difference: float,
        *,
        experiment_id: str | None = None,
        evaluation: str | None = None,
        candidate_id: str | None = None,
        variances: Variances | None = None,
        trials: Sequence[int] = (),
        power: float | None = None,
        significance: float | None = None,
    ) -> Plans:
        """Computes how many items and trials it takes to see a difference between two runs over the same items.

        Args:
            difference: of the means, above 0.
            experiment_id: an experiment whose values tell what scatters, best one with several trials.
            evaluation: whose values.
            candidate_id: another experiment over the same items, whose difference to the first is measured.
            variances: what scatters, instead of an experiment.
            trials: the numbers of trials to plan for; 1, 2, 3, 5 and 10 by default.
            power: the chance to see the difference where it is; 0.8 by default.
            significance: the chance to see it where it is not; 0.05 by default.

        Raises:
            ValueError: not exactly one of `experiment_id` and `variances` is given.
            NotFoundError: there is no such experiment.
            InvalidRequestError: an argument is wrong.
        """
        request = plan_request(
            difference,
            experiment_id=experiment_id,
            evaluation=evaluation,
            candidate_id=candidate_id,
            variances=variances,
            trials=trials,
            power=power,
            significance=significance,
        )
        return plans_from_message(self._call(self._experiments.PlanExperiment, request))
