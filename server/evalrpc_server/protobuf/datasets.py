"""Datasets of Langfuse's, their items, and ties to them, as messages."""

from __future__ import annotations

import re
from datetime import datetime

from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message

from evalrpc.v1 import dataset_pb2, dataset_service_pb2, json_pb2
from evalrpc_server.domain.datasets import Dataset, DatasetItem, Link, Linked
from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.errors import Violation
from evalrpc_server.protobuf.documents import Encoding, document_to_message, normalized
from evalrpc_server.protobuf.values import time_from_message, timestamp

_MAX_NAME = 255


def dataset_to_message(dataset: Dataset, encoding: Encoding) -> dataset_pb2.Dataset:
    """Writes a dataset."""
    return dataset_pb2.Dataset(
        id=dataset.id,
        name=dataset.name,
        description=dataset.description,
        metadata=_document(dataset.metadata, encoding),
        input_schema=_document(dataset.input_schema, encoding),
        expected_output_schema=_document(dataset.expected_output_schema, encoding),
        create_time=timestamp(dataset.create_time),
        update_time=timestamp(dataset.update_time),
        url=dataset.url,
    )


def dataset_item_to_message(item: DatasetItem, encoding: Encoding) -> dataset_pb2.DatasetItem:
    """Writes an item of a dataset."""
    return dataset_pb2.DatasetItem(
        id=item.id,
        dataset_id=item.dataset_id,
        input=_document(item.input, encoding),
        expected_output=_document(item.expected_output, encoding),
        metadata=_document(item.metadata, encoding),
        source_trace_id=item.source_trace_id,
        source_observation_id=item.source_observation_id,
        create_time=timestamp(item.create_time),
        update_time=timestamp(item.update_time),
    )


def link_from_message(message: dataset_service_pb2.LinkDatasetItemRequest) -> tuple[Link, list[Violation]]:
    """Reads a tie to a dataset item, and everything that is wrong with it."""
    violations: list[Violation] = []
    for name, value in (
        ("dataset_name", message.dataset_name),
        ("dataset_item_id", message.dataset_item_id),
        ("run_name", message.run_name),
    ):
        if not value.strip():
            violations.append(Violation(name, "is required"))
        elif len(value) > _MAX_NAME:
            violations.append(Violation(name, f"must be at most {_MAX_NAME} characters"))
    link = Link(
        dataset_name=message.dataset_name,
        dataset_item_id=message.dataset_item_id,
        run_name=message.run_name,
        run_description=message.run_description,
        run_metadata=_facts(message.run_metadata, violations),
        trace_id=hexadecimal(message.trace_id, 32, "trace_id", violations),
        observation_id=hexadecimal(message.observation_id, 16, "observation_id", violations),
        dataset_version=optional_time(message, "dataset_version", "dataset_version", violations),
    )
    return link, violations


def linked_to_message(linked: Linked) -> dataset_service_pb2.LinkDatasetItemResponse:
    """Writes what ties a trace to a dataset item."""
    return dataset_service_pb2.LinkDatasetItemResponse(
        dataset_run_id=linked.dataset_run_id,
        dataset_run_item_id=linked.dataset_run_item_id,
        span_attributes=linked.span_attributes,
        url=linked.url,
    )


def optional_time(message: Message, field: str, path: str, violations: list[Violation]) -> datetime | None:
    """Returns a time that may be absent; notes what is wrong with it."""
    if not message.HasField(field):
        return None
    try:
        return time_from_message(getattr(message, field))
    except ValueError:
        violations.append(Violation(path, "must be a time from the year 1 to 9999"))
        return None


def hexadecimal(value: str, digits: int, path: str, violations: list[Violation]) -> str:
    """Returns the id of a trace or span in lower case, as Langfuse keeps it; notes what is wrong with it."""
    found = value.lower()
    if not found:
        violations.append(Violation(path, "is required"))
    elif not re.fullmatch(f"[0-9a-f]{{{digits}}}", found) or not found.strip("0"):
        violations.append(Violation(path, f"must be {digits} hexadecimal digits, and not zero"))
    return found


def _facts(message: struct_pb2.Struct, violations: list[Violation]) -> dict[str, JsonValue]:
    try:
        found: dict[str, JsonValue] = normalized(json_format.MessageToDict(message))
    except (json_format.Error, ValueError):
        violations.append(Violation("run_metadata", "holds NaN or Infinity, which JSON does not have"))
        return {}
    return found


def _document(document: Document | None, encoding: Encoding) -> json_pb2.Json | None:
    return None if document is None else document_to_message(document, encoding)
