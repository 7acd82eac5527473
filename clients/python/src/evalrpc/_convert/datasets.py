"""Reads datasets, their items, and what became of scores."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from evalrpc._convert.evaluations import error_from_message
from evalrpc._convert.values import to_datetime
from evalrpc._documents import decode, text_of
from evalrpc._model.datasets import Dataset, DatasetItem, DatasetItemLink, ScoreDelivery, ScoreReceipt
from evalrpc.v1 import dataset_pb2, dataset_service_pb2

_DELIVERIES = {
    dataset_service_pb2.ScoreDelivery.Value(f"SCORE_DELIVERY_{delivery}"): delivery
    for delivery in ScoreDelivery
}


def dataset_from_message(message: dataset_pb2.Dataset) -> Dataset:
    """Reads a dataset."""
    has = message.HasField
    return Dataset(
        id=message.id,
        name=message.name,
        description=message.description or None,
        metadata=decode(text_of(message.metadata)),
        input_schema=decode(text_of(message.input_schema)),
        expected_output_schema=decode(text_of(message.expected_output_schema)),
        create_time=_time(message.create_time, there=has("create_time")),
        update_time=_time(message.update_time, there=has("update_time")),
        url=message.url or None,
    )


def dataset_item_from_message(
    message: dataset_pb2.DatasetItem, dataset_name: str, dataset_version: datetime | None
) -> DatasetItem:
    """Reads an item of a dataset that was asked for under a name and a version."""
    has = message.HasField
    return DatasetItem(
        id=message.id,
        dataset_id=message.dataset_id,
        dataset_name=dataset_name,
        dataset_version=dataset_version,
        input_json=text_of(message.input),
        expected_output_json=text_of(message.expected_output),
        metadata_json=text_of(message.metadata),
        source_trace_id=message.source_trace_id or None,
        source_observation_id=message.source_observation_id or None,
        create_time=_time(message.create_time, there=has("create_time")),
        update_time=_time(message.update_time, there=has("update_time")),
    )


def link_from_message(message: dataset_service_pb2.LinkDatasetItemResponse) -> DatasetItemLink:
    """Reads what ties a trace to a dataset item."""
    return DatasetItemLink(
        dataset_run_id=message.dataset_run_id,
        dataset_run_item_id=message.dataset_run_item_id or None,
        span_attributes=dict(message.span_attributes),
        url=message.url or None,
    )


def receipt_from_message(message: dataset_service_pb2.ScoreReceipt) -> ScoreReceipt:
    """Reads what became of a score."""
    return ScoreReceipt(
        id=message.id,
        delivery=_DELIVERIES.get(message.delivery),
        error=error_from_message(message.error) if message.HasField("error") else None,
    )


def _time(message: Timestamp, *, there: bool) -> datetime | None:
    return to_datetime(message) if there else None
