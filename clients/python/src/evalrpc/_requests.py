"""The requests that both clients send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evalrpc._convert.experiments import NUMBERS
from evalrpc._model.experiment import ExperimentState
from evalrpc._spec.evaluators import EvaluatorLike, evaluator_message
from evalrpc.v1 import (
    evaluator_pb2,
    evaluator_service_pb2,
    experiment_service_pb2,
    experiment_spec_pb2,
    json_pb2,
)

_LEVELS = {
    None: evaluator_pb2.EVALUATOR_LEVEL_UNSPECIFIED,
    "item": evaluator_pb2.EVALUATOR_LEVEL_ITEM,
    "run": evaluator_pb2.EVALUATOR_LEVEL_RUN,
}
_ORDERS = {
    "item": experiment_service_pb2.ITEM_RESULT_ORDER_ITEM,
    "completion": experiment_service_pb2.ITEM_RESULT_ORDER_COMPLETION,
}


class PagedRequest(Protocol):
    """A request for a page."""

    page_token: str


class Page(Protocol):
    """A page, and where the next one is."""

    next_page_token: str


def run_request(
    spec: experiment_spec_pb2.ExperimentSpec, request_id: str, *, cancel_on_disconnect: bool
) -> experiment_service_pb2.RunExperimentRequest:
    """Returns the request that starts and watches an experiment."""
    return experiment_service_pb2.RunExperimentRequest(
        experiment=spec,
        request_id=request_id,
        json_encoding=json_pb2.JSON_ENCODING_TEXT,
        cancel_on_disconnect=cancel_on_disconnect,
    )


def list_request(
    name: str | None, states: Sequence[ExperimentState | str], page_size: int | None
) -> experiment_service_pb2.ListExperimentsRequest:
    """Returns the request for the first page of experiments.

    Raises:
        ValueError: there is no such state.
    """
    return experiment_service_pb2.ListExperimentsRequest(
        name=name or "",
        states=[NUMBERS[ExperimentState(state)] for state in states],
        page_size=page_size or 0,
    )


def list_results_request(
    experiment_id: str, order: str, page_size: int | None, *, failed_only: bool
) -> experiment_service_pb2.ListItemResultsRequest:
    """Returns the request for the first page of results.

    Raises:
        ValueError: there is no such order.
    """
    if order not in _ORDERS:
        raise ValueError(f'order must be "item" or "completion", not {order!r}')
    return experiment_service_pb2.ListItemResultsRequest(
        id=experiment_id,
        order=_ORDERS[order],
        page_size=page_size or 0,
        json_encoding=json_pb2.JSON_ENCODING_TEXT,
        failed_only=failed_only,
    )


def register_request(
    evaluator: EvaluatorLike, name: str | None, description: str | None
) -> evaluator_service_pb2.RegisterEvaluatorRequest:
    """Returns the request that registers an evaluator."""
    message = evaluator_message(evaluator, "evaluator")
    if name is not None:
        message.name = name
    return evaluator_service_pb2.RegisterEvaluatorRequest(evaluator=message, description=description or "")


def builtins_request(level: str | None) -> evaluator_service_pb2.ListBuiltinEvaluatorsRequest:
    """Returns the request for the server's own evaluators.

    Raises:
        ValueError: there is no such level.
    """
    if level not in _LEVELS:
        raise ValueError(f'level must be "item" or "run", not {level!r}')
    return evaluator_service_pb2.ListBuiltinEvaluatorsRequest(level=_LEVELS[level])
