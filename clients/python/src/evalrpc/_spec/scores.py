"""What is written to Langfuse for traces of the caller's own, as the contract's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from evalrpc._documents import encode
from evalrpc._errors import Violation, invalid
from evalrpc._model.datasets import Score
from evalrpc._spec.data import LangfuseDataset
from evalrpc._spec.parsing import struct, timestamp
from evalrpc.v1 import dataset_service_pb2, json_pb2, score_pb2


def list_items_request(
    dataset: str | LangfuseDataset, langfuse_project: str | None
) -> dataset_service_pb2.ListDatasetItemsRequest:
    """Returns the request for a dataset's items."""
    wanted = LangfuseDataset(name=dataset) if isinstance(dataset, str) else dataset
    return dataset_service_pb2.ListDatasetItemsRequest(
        langfuse_dataset=wanted.to_message(),
        langfuse_project=langfuse_project or "",
        json_encoding=json_pb2.JSON_ENCODING_TEXT,
    )


def link_request(
    *,
    dataset_name: str,
    dataset_item_id: str,
    run_name: str,
    trace_id: str,
    observation_id: str,
    run_description: str | None,
    run_metadata: Mapping[str, Any] | None,
    dataset_version: datetime | None,
    langfuse_project: str | None,
) -> dataset_service_pb2.LinkDatasetItemRequest:
    """Returns the request that ties a trace to a dataset item."""
    request = dataset_service_pb2.LinkDatasetItemRequest(
        langfuse_project=langfuse_project or "",
        dataset_name=dataset_name,
        dataset_item_id=dataset_item_id,
        run_name=run_name,
        trace_id=trace_id,
        observation_id=observation_id,
        run_description=run_description or "",
    )
    if run_metadata is not None:
        request.run_metadata.CopyFrom(struct(run_metadata, "run_metadata"))
    if dataset_version is not None:
        request.dataset_version.CopyFrom(timestamp(dataset_version))
    return request


def scores_request(
    scores: Iterable[Score], *, wait: bool, langfuse_project: str | None
) -> dataset_service_pb2.CreateScoresRequest:
    """Returns the request that writes scores.

    Raises:
        InvalidRequestError: a score has no subject, or two, or metadata that are not JSON.
    """
    return dataset_service_pb2.CreateScoresRequest(
        scores=[_score_message(score, f"scores[{index}]") for index, score in enumerate(scores)],
        langfuse_project=langfuse_project or "",
        wait=wait,
    )


def _score_message(score: Score, path: str) -> score_pb2.Score:
    if (score.trace_id is None) == (score.dataset_run_id is None):
        raise invalid([Violation(path, "needs either a trace_id or a dataset_run_id")])
    message = score_pb2.Score(
        id=score.id or "",
        name=score.name,
        comment=score.comment or "",
        config_id=score.config_id or "",
        environment=score.environment or "",
    )
    if score.dataset_run_id is not None:
        message.dataset_run_id = score.dataset_run_id
    else:
        message.trace.trace_id = score.trace_id or ""
        message.trace.observation_id = score.observation_id or ""
    if isinstance(score.value, bool):
        message.boolean = score.value
    elif isinstance(score.value, str):
        message.label = score.value
    else:
        message.number = score.value
    if score.metadata is not None:
        try:
            message.metadata.text = encode(score.metadata)
        except ValueError as error:
            raise invalid([Violation(f"{path}.metadata", str(error))]) from None
    if score.time is not None:
        message.time.CopyFrom(timestamp(score.time))
    return message
