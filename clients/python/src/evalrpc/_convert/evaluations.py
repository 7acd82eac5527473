"""Reads verdicts and errors."""

from __future__ import annotations

from evalrpc._convert.values import to_seconds
from evalrpc._documents import text_of
from evalrpc._model.evaluation import Error, Evaluation, Usage, Value
from evalrpc.v1 import error_pb2, evaluation_pb2, item_pb2


def error_from_message(message: error_pb2.Error) -> Error:
    """Reads an error inside data."""
    return Error(message.reason, message.message, dict(message.metadata), message.retryable)


def usage_from_message(message: item_pb2.Usage) -> Usage:
    """Reads a usage."""
    return Usage(
        input_tokens=message.input_tokens if message.HasField("input_tokens") else None,
        output_tokens=message.output_tokens if message.HasField("output_tokens") else None,
        cost_usd=message.cost_usd if message.HasField("cost_usd") else None,
        model=message.model or None,
    )


def evaluation_from_message(message: evaluation_pb2.Evaluation) -> Evaluation:
    """Reads an evaluation. One whose kind of value this version does not know is unscored and says so."""
    value: Value | None = None
    unscored: str | None = None
    error: Error | None = None
    match message.WhichOneof("value"):
        case "number":
            value = message.number
        case "boolean":
            value = message.boolean
        case "label":
            value = message.label
        case "unscored":
            unscored = message.unscored.reason
        case "error":
            error = error_from_message(message.error)
        case _:
            unscored = "its kind of value is unknown to this version of the client"
    return Evaluation(
        name=message.name,
        value=value,
        unscored=unscored,
        error=error,
        evaluator=message.evaluator,
        comment=message.comment or None,
        metadata_json=text_of(message.metadata) if message.HasField("metadata") else None,
        config_id=message.config_id or None,
        duration=to_seconds(message.duration) if message.HasField("duration") else None,
        usage=usage_from_message(message.usage) if message.HasField("usage") else None,
    )
