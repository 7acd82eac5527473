"""What functions answer, as reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from evalrpc._documents import RawJson, encode
from evalrpc._model.evaluation import Error, Usage
from evalrpc._model.item_result import Context
from evalrpc.v1 import (
    error_pb2,
    evaluation_pb2,
    evaluation_service_pb2,
    item_pb2,
    json_pb2,
    task_service_pb2,
    worker_messages_pb2,
)

_MAX_MESSAGE = 2000
_EVALUATION_KEYS = frozenset({"name", "value", "comment", "metadata", "data_type", "config_id"})


class RetryableError(Exception):
    """Raise it in a task whose call may succeed later: it is repeated as the experiment's retry policy says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutput:
    """A task's output with what else there is to say; a task that has only an output returns just that.

    Attributes:
        output: anything that JSON can carry.
        contexts: the passages that the output rests on, as `Context` or text.
        usage: what models took.
        metadata: facts about the output.
    """

    output: Any
    contexts: Sequence[Context | str] = ()
    usage: Usage | None = None
    metadata: Mapping[str, Any] | None = None


def task_report(token: str, answer: Any) -> worker_messages_pb2.TaskReport:
    """Returns the report of a task's answer.

    Raises:
        ValueError: it is nothing that JSON can carry.
    """
    if not isinstance(answer, TaskOutput):
        answer = TaskOutput(output=answer)
    response = task_service_pb2.RunTaskResponse(output=json_pb2.Json(text=_text(answer.output)))
    for each in answer.contexts:
        context = Context(text=each) if isinstance(each, str) else each
        response.contexts.add(
            text=context.text, id=context.id or "", source=context.source or "", score=context.score
        )
    if answer.usage is not None:
        response.usage.CopyFrom(_usage(answer.usage))
    if answer.metadata is not None:
        response.metadata.text = _text(answer.metadata)
    return worker_messages_pb2.TaskReport(task_token=token, task=response)


def evaluator_report(token: str, answer: Any) -> worker_messages_pb2.TaskReport:
    """Returns the report of an evaluator's answer: an `Evaluation`, a dict of its fields, a value, or a list of these.

    Raises:
        TypeError: it is none of these.
        ValueError: a value or metadata are nothing that JSON can carry.
    """
    several = answer if isinstance(answer, list | tuple) else [answer]
    evaluations = evaluation_service_pb2.EvaluateItemResponse(evaluations=[_evaluation(e) for e in several])
    return worker_messages_pb2.TaskReport(task_token=token, evaluations=evaluations)


def error_report(token: str, error: BaseException, *, of_task: bool) -> worker_messages_pb2.TaskReport:
    """Returns the report of an exception: its type and its message."""
    kind = type(error).__name__
    text = str(error)
    message = error_pb2.Error(
        reason="TASK_FAILED" if of_task else "EVALUATOR_FAILED",
        message=(f"{kind}: {text}" if text else kind)[:_MAX_MESSAGE],
        metadata={"error_type": kind},
        retryable=of_task and isinstance(error, RetryableError),
    )
    return worker_messages_pb2.TaskReport(task_token=token, error=message)


def too_large_report(token: str, size: int, limit: int) -> worker_messages_pb2.TaskReport:
    """Returns the report of an answer that cannot be sent."""
    message = error_pb2.Error(
        reason="PAYLOAD_TOO_LARGE",
        message=f"The function's answer takes {size} bytes; the limit is {limit} bytes.",
        metadata={"limit_bytes": str(limit), "size_bytes": str(size)},
    )
    return worker_messages_pb2.TaskReport(task_token=token, error=message)


def _evaluation(answer: Any) -> evaluation_pb2.Evaluation:
    given = _fields(answer)
    message = evaluation_pb2.Evaluation(
        name=given.get("name") or "",
        comment=given.get("comment") or "",
        config_id=given.get("config_id") or "",
    )
    if (metadata := given.get("metadata")) is not None:
        message.metadata.text = _text(metadata)
    error = given.get("error")
    if isinstance(error, Error):
        message.error.CopyFrom(
            error_pb2.Error(reason=error.reason, message=error.message, metadata=error.metadata)
        )
    elif given.get("unscored") is not None:
        message.unscored.reason = given["unscored"]
    else:
        _set_value(message, given.get("value"), given.get("data_type"))
    return message


def _fields(answer: Any) -> Mapping[str, Any]:
    """Returns the fields of an evaluation, whatever it is given as."""
    if answer is None or isinstance(answer, bool | int | float | str):
        return {"value": answer}
    if isinstance(answer, Mapping):
        if unknown := answer.keys() - _EVALUATION_KEYS:
            raise TypeError(f"an evaluation has no {min(unknown)!r}; it has {sorted(_EVALUATION_KEYS)}")
        return answer
    if hasattr(answer, "value"):  # an Evaluation, of this package or of Langfuse's
        return {key: getattr(answer, key, None) for key in (*_EVALUATION_KEYS, "unscored", "error")}
    return {"value": float(answer)}  # numbers of other libraries, such as numpy's


def _set_value(message: evaluation_pb2.Evaluation, value: Any, data_type: Any) -> None:
    wanted = getattr(data_type, "value", data_type)
    if value is None:
        message.unscored.reason = "the evaluator returned no value"
    elif isinstance(value, str):
        message.label = value
    elif wanted == "CATEGORICAL":
        message.label = str(value)
    elif wanted == "BOOLEAN" or (isinstance(value, bool) and wanted is None):
        message.boolean = bool(value)
    else:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"the value {number} is not finite")
        message.number = number


def _usage(usage: Usage) -> item_pb2.Usage:
    return item_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        model=usage.model or "",
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, RawJson) else encode(value, default=_plain)


def _plain(value: Any) -> Any:
    """Returns what JSON has no form for in one that it has."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if callable(dump := getattr(value, "model_dump", None)):  # of pydantic
        return dump(mode="json")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
