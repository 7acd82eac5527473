"""Item results as messages: on the hot path, one for each trial."""

from __future__ import annotations

from evalrpc.v1 import item_result_pb2
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.protobuf.documents import Encoding, document_to_message
from evalrpc_server.protobuf.evaluations import evaluation_to_message
from evalrpc_server.protobuf.items import item_to_message
from evalrpc_server.protobuf.values import (
    context_to_message,
    duration,
    error_to_message,
    timestamp,
    usage_to_message,
)


def result_to_message(result: ItemResult, encoding: Encoding) -> item_result_pb2.ItemResult:
    """Writes a result with its item."""
    outcome = result.outcome
    called = outcome.attempts > 0
    message = item_result_pb2.ItemResult(
        item=item_to_message(result.item, encoding),
        trial=result.trial,
        evaluations=[evaluation_to_message(evaluation, encoding) for evaluation in result.evaluations],
        trace_id=result.trace_id,
        trace_url=result.trace_url,
        start_time=timestamp(outcome.start_time) if called else None,
        task_duration=duration(outcome.task_duration) if called else None,
        evaluation_duration=duration(result.evaluation_duration) if result.evaluations else None,
        attempts=outcome.attempts,
        usage=usage_to_message(outcome.usage),
    )
    if outcome.output is not None:
        message.output.CopyFrom(document_to_message(outcome.output, encoding))
    if outcome.error is not None:
        message.error.CopyFrom(error_to_message(outcome.error))
    if outcome.contexts:
        message.contexts.extend(context_to_message(context) for context in outcome.contexts)
    if outcome.metadata is not None:
        message.output_metadata.CopyFrom(document_to_message(outcome.metadata, encoding))
    return message
