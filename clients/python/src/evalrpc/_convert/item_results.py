"""Reads items and their results; once per event, so it is kept cheap."""

from __future__ import annotations

from evalrpc._convert.evaluations import error_from_message, evaluation_from_message, usage_from_message
from evalrpc._convert.values import to_datetime, to_seconds
from evalrpc._documents import text_of
from evalrpc._model.item_result import Context, Item, ItemResult
from evalrpc.v1 import item_pb2, item_result_pb2


def item_from_message(message: item_pb2.ExperimentItem) -> Item:
    """Reads an item as results carry it."""
    return Item(
        id=message.id,
        index=message.index,
        input_json=text_of(message.input) if message.HasField("input") else None,
        expected_output_json=text_of(message.expected_output)
        if message.HasField("expected_output")
        else None,
        metadata_json=text_of(message.metadata) if message.HasField("metadata") else None,
        dataset_item_id=message.dataset_item_id or None,
    )


def item_result_from_message(message: item_result_pb2.ItemResult) -> ItemResult:
    """Reads a result."""
    has = message.HasField
    return ItemResult(
        item=item_from_message(message.item),
        trial=message.trial,
        output_json=text_of(message.output) if has("output") else None,
        evaluations=tuple([evaluation_from_message(each) for each in message.evaluations]),
        error=error_from_message(message.error) if has("error") else None,
        contexts=tuple([context_from_message(each) for each in message.contexts]),
        trace_id=message.trace_id or None,
        trace_url=message.trace_url or None,
        start_time=to_datetime(message.start_time) if has("start_time") else None,
        task_duration=to_seconds(message.task_duration) if has("task_duration") else None,
        evaluation_duration=to_seconds(message.evaluation_duration) if has("evaluation_duration") else None,
        attempts=message.attempts,
        usage=usage_from_message(message.usage) if has("usage") else None,
        output_metadata_json=text_of(message.output_metadata) if has("output_metadata") else None,
    )


def context_from_message(message: item_pb2.Context) -> Context:
    """Reads a passage."""
    return Context(
        text=message.text,
        id=message.id or None,
        source=message.source or None,
        score=message.score if message.HasField("score") else None,
    )
