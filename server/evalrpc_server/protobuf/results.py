"""Item results as messages: on the hot path, one for each trial."""

from __future__ import annotations

from evalrpc.v1 import item_result_pb2
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.protobuf.documents import Encoding, fill_document
from evalrpc_server.protobuf.evaluations import fill_evaluation
from evalrpc_server.protobuf.items import fill_item
from evalrpc_server.protobuf.values import (
    context_to_message,
    error_to_message,
    fill_duration,
    fill_timestamp,
    usage_to_message,
)


def result_to_message(result: ItemResult, encoding: Encoding) -> item_result_pb2.ItemResult:
    """Writes a result with its item."""
    message = item_result_pb2.ItemResult()
    fill_result(message, result, encoding)
    return message


def fill_result(message: item_result_pb2.ItemResult, result: ItemResult, encoding: Encoding) -> None:
    """Writes a result with its item into an empty message: in place, as every message put into another is copied."""
    outcome = result.outcome
    fill_item(message.item, result.item, encoding)
    message.trial = result.trial
    message.trace_id = result.trace_id
    message.trace_url = result.trace_url
    message.attempts = outcome.attempts
    for evaluation in result.evaluations:
        fill_evaluation(message.evaluations.add(), evaluation, encoding)
    if outcome.attempts > 0:
        fill_timestamp(message.start_time, outcome.start_time)
        fill_duration(message.task_duration, outcome.task_duration)
    if result.evaluations:
        fill_duration(message.evaluation_duration, result.evaluation_duration)
    if outcome.output is not None:
        fill_document(message.output, outcome.output, encoding)
    if outcome.error is not None:
        message.error.CopyFrom(error_to_message(outcome.error))
    if (usage := usage_to_message(outcome.usage)) is not None:
        message.usage.CopyFrom(usage)
    if outcome.contexts:
        message.contexts.extend(context_to_message(context) for context in outcome.contexts)
    if outcome.metadata is not None:
        fill_document(message.output_metadata, outcome.metadata, encoding)
