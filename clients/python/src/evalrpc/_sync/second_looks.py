"""Calls that look at an experiment again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from evalrpc._convert.experiments import experiment_from_message
from evalrpc._model.experiment import Experiment
from evalrpc._spec.evaluators import EvaluatorLike
from evalrpc._spec.second_looks import RetryScope, evaluate_request, retry_request
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import experiment_service_pb2_grpc


class SecondLookCalls(ChannelOwner):
    """Evaluates stored outputs anew, and repeats what failed."""

    @cached_property
    def _experiments(self) -> experiment_service_pb2_grpc.ExperimentServiceStub:
        return experiment_service_pb2_grpc.ExperimentServiceStub(self._channel)

    def evaluate(
        self,
        experiment_id: str,
        *,
        evaluators: Sequence[EvaluatorLike] = (),
        composite_evaluator: EvaluatorLike | None = None,
        run_evaluators: Sequence[EvaluatorLike] = (),
        run_name: str | None = None,
        request_id: str | None = None,
    ) -> Experiment:
        """Starts an experiment that asks evaluators about the stored outputs of one that has ended; no task is called.

        Args:
            experiment_id: the experiment to look at.
            evaluators: what looks at each item's result; functions need a `Worker`, and are named by `worker_evaluator()`.
            composite_evaluator: what sees an item's new evaluations and adds its own.
            run_evaluators: what looks at all results with their new evaluations.
            run_name: names the new run; by default the old run's name, followed by " - evaluated <UTC time>".
            request_id: makes a repeat of the call join the experiment; a new one by default.

        Raises:
            NotFoundError: there is no such experiment.
            FailedPreconditionError: it has not ended.
            InvalidRequestError: an evaluator is wrong, or there is none.
            TypeError: an evaluator is a function.
        """
        request = evaluate_request(
            experiment_id,
            evaluators=evaluators,
            composite_evaluator=composite_evaluator,
            run_evaluators=run_evaluators,
            run_name=run_name,
            request_id=request_id,
        )
        return experiment_from_message(self._call(self._experiments.EvaluateExperiment, request).experiment)

    def retry(
        self,
        experiment_id: str,
        *,
        scope: RetryScope = "all",
        run_name: str | None = None,
        request_id: str | None = None,
    ) -> Experiment:
        """Starts an experiment that repeats what failed in one that has ended, and keeps the rest.

        Args:
            experiment_id: the experiment to repeat from.
            scope: failed tasks with their evaluations, failed evaluations, or both.
            run_name: names the new run; by default the old run's name, followed by " - retried <UTC time>".
            request_id: makes a repeat of the call join the experiment; a new one by default.

        Raises:
            NotFoundError: there is no such experiment.
            FailedPreconditionError: it has not ended, or nothing of the scope has failed.
        """
        request = retry_request(experiment_id, scope=scope, run_name=run_name, request_id=request_id)
        return experiment_from_message(self._call(self._experiments.RetryExperiment, request).experiment)
