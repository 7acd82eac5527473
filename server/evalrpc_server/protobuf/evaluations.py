"""Evaluations as messages."""

from __future__ import annotations

import math

from evalrpc.v1 import evaluation_pb2
from evalrpc_server.domain.documents import InvalidDocumentError
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.protobuf.documents import Encoding, document_from_message, fill_document
from evalrpc_server.protobuf.values import (
    error_from_message,
    error_to_message,
    usage_from_message,
    usage_to_message,
)

NO_VALUE = "the evaluator answered without a value"
"""Why an evaluation is unscored whose evaluator does not say why."""


class InvalidEvaluationError(ValueError):
    """A message is no evaluation.

    Attributes:
        field: the part of it that is wrong.
        problem: what is wrong.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def evaluation_to_message(evaluation: Evaluation, encoding: Encoding) -> evaluation_pb2.Evaluation:
    """Writes an evaluation."""
    message = evaluation_pb2.Evaluation()
    fill_evaluation(message, evaluation, encoding)
    return message


def fill_evaluation(message: evaluation_pb2.Evaluation, evaluation: Evaluation, encoding: Encoding) -> None:
    """Writes an evaluation into an empty message."""
    message.name = evaluation.name
    message.evaluator = evaluation.evaluator
    value = evaluation.value
    if isinstance(value, bool):
        message.boolean = value
    elif isinstance(value, str):
        message.label = value
    elif value is not None:
        message.number = value
    elif evaluation.error is not None:
        message.error.CopyFrom(error_to_message(evaluation.error))
    else:
        message.unscored.reason = evaluation.unscored or ""
    if evaluation.comment:
        message.comment = evaluation.comment
    if evaluation.metadata is not None:
        fill_document(message.metadata, evaluation.metadata, encoding)
    if evaluation.config_id:
        message.config_id = evaluation.config_id
    if (usage := usage_to_message(evaluation.usage)) is not None:
        message.usage.CopyFrom(usage)


def evaluation_from_message(message: evaluation_pb2.Evaluation) -> Evaluation:
    """Reads an evaluation that a user's evaluator answered with; one without a value is unscored.

    Raises:
        InvalidEvaluationError: its number is not finite, or its metadata is no object.
    """
    value: float | bool | str | None = None
    unscored, error = None, None
    match message.WhichOneof("value"):
        case "number":
            value = message.number
            if not math.isfinite(value):
                raise InvalidEvaluationError("number", "must be finite")
        case "boolean":
            value = message.boolean
        case "label":
            value = message.label
        case "unscored":
            unscored = message.unscored.reason or NO_VALUE
        case "error":
            error = error_from_message(message.error, Reason.EVALUATOR_FAILED)
        case _:
            unscored = NO_VALUE
    try:
        metadata = document_from_message(message.metadata) if message.HasField("metadata") else None
    except InvalidDocumentError as problem:
        raise InvalidEvaluationError("metadata", str(problem)) from None
    if metadata is not None and not metadata.lstrip().startswith("{"):
        raise InvalidEvaluationError("metadata", "must be an object")
    return Evaluation(
        name=message.name,
        value=value,
        unscored=unscored,
        error=error,
        comment=message.comment,
        metadata=metadata,
        config_id=message.config_id,
        usage=usage_from_message(message.usage) if message.HasField("usage") else None,
    )
