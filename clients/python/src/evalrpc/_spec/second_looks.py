"""Requests that look at an experiment again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from evalrpc._spec.evaluators import EvaluatorLike, evaluator_message
from evalrpc.v1 import second_look_pb2

RetryScope = Literal["all", "tasks", "evaluations"]
"""Which failed stages are repeated: tasks with their evaluations, evaluations, or both."""

_SCOPES: dict[str, second_look_pb2.RetryScope.ValueType] = {
    "all": second_look_pb2.RETRY_SCOPE_ALL,
    "tasks": second_look_pb2.RETRY_SCOPE_TASKS,
    "evaluations": second_look_pb2.RETRY_SCOPE_EVALUATIONS,
}


def evaluate_request(
    experiment_id: str,
    *,
    evaluators: Sequence[EvaluatorLike],
    composite_evaluator: EvaluatorLike | None,
    run_evaluators: Sequence[EvaluatorLike],
    run_name: str | None,
    request_id: str | None,
) -> second_look_pb2.EvaluateExperimentRequest:
    """Returns the request to evaluate stored outputs anew.

    Raises:
        InvalidRequestError: an evaluator does not have the contract's form.
        TypeError: an evaluator is a function, or nothing that one can be.
    """
    request = second_look_pb2.EvaluateExperimentRequest(
        id=experiment_id,
        evaluators=[evaluator_message(each, f"evaluators[{n}]") for n, each in enumerate(evaluators)],
        run_evaluators=[
            evaluator_message(each, f"run_evaluators[{n}]") for n, each in enumerate(run_evaluators)
        ],
        run_name=run_name or "",
        request_id=request_id or str(uuid.uuid4()),
    )
    if composite_evaluator is not None:
        request.composite_evaluator.CopyFrom(evaluator_message(composite_evaluator, "composite_evaluator"))
    return request


def retry_request(
    experiment_id: str, *, scope: RetryScope, run_name: str | None, request_id: str | None
) -> second_look_pb2.RetryExperimentRequest:
    """Returns the request to repeat what failed.

    Raises:
        ValueError: there is no such scope.
    """
    if scope not in _SCOPES:
        raise ValueError(f'scope must be "all", "tasks" or "evaluations", not {scope!r}')
    return second_look_pb2.RetryExperimentRequest(
        id=experiment_id,
        scope=_SCOPES[scope],
        run_name=run_name or "",
        request_id=request_id or str(uuid.uuid4()),
    )
