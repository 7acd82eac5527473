"""What functions are called with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalrpc._convert.evaluations import evaluation_from_message, usage_from_message
from evalrpc._convert.item_results import context_from_message
from evalrpc._convert.values import to_seconds
from evalrpc._documents import decode, text_of
from evalrpc._model.item_result import ItemResult
from evalrpc.v1 import evaluation_service_pb2, json_pb2, task_service_pb2, worker_messages_pb2


class TaskItem(dict[str, Any]):
    """The item that a task gets: `item["input"]` or `item.input`, likewise expected_output, metadata and id.

    What there is none of is None.
    """

    __slots__ = ()

    @property
    def input(self) -> Any:
        """The item's input."""
        return self["input"]

    @property
    def expected_output(self) -> Any:
        """What a right output looks like, where the task may see it."""
        return self["expected_output"]

    @property
    def metadata(self) -> Any:
        """Facts about the item."""
        return self["metadata"]

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self["id"])


@dataclass(frozen=True, slots=True)
class ExperimentInfo:
    """The experiment on whose behalf a function is called."""

    id: str
    name: str
    run_name: str


def task_arguments(assignment: worker_messages_pb2.Assignment) -> dict[str, Any]:
    """Returns what a task is offered: item, trial, attempt, experiment, trace_context."""
    request = assignment.task
    item = TaskItem(
        input=_document(request, "input"),
        expected_output=_document(request, "expected_output"),
        metadata=_document(request, "metadata"),
        id=request.item_id,
    )
    return {
        "item": item,
        "trial": request.trial,
        "attempt": assignment.attempt,
        "experiment": _experiment(request.experiment),
        "trace_context": dict(assignment.trace_context),
    }


def evaluator_arguments(assignment: worker_messages_pb2.Assignment) -> dict[str, Any]:
    """Returns what an evaluator is offered.

    These are input, output, expected_output and metadata as with Langfuse, evaluations (of an item so far, for a
    composite evaluator), and contexts, usage, task_duration, item_id, trial, experiment, trace_context.
    """
    request = assignment.evaluator
    return {
        "input": _document(request, "input"),
        "output": _document(request, "output"),
        "expected_output": _document(request, "expected_output"),
        "metadata": _document(request, "metadata"),
        "evaluations": [evaluation_from_message(each) for each in request.evaluations],
        "contexts": [context_from_message(each) for each in request.contexts],
        "usage": usage_from_message(request.usage) if request.HasField("usage") else None,
        "task_duration": to_seconds(request.task_duration),
        "item_id": request.item_id,
        "trial": request.trial,
        "experiment": _experiment(request.experiment),
        "trace_context": dict(assignment.trace_context),
    }


def run_evaluator_arguments(
    assignment: worker_messages_pb2.Assignment, results: Sequence[ItemResult]
) -> dict[str, Any]:
    """Returns what a run evaluator is offered: item_results, of failed items too, and the experiment."""
    return {
        "item_results": list(results),
        "experiment": _experiment(assignment.run_evaluator.experiment),
    }


def _document(
    request: task_service_pb2.RunTaskRequest | evaluation_service_pb2.EvaluateItemRequest, field: Any
) -> Any:
    if not request.HasField(field):
        return None
    document: json_pb2.Json = getattr(request, field)
    return decode(text_of(document))


def _experiment(info: task_service_pb2.ExperimentInfo) -> ExperimentInfo:
    return ExperimentInfo(info.id, info.name, info.run_name)
