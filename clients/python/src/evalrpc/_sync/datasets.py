"""Calls of `DatasetService` for what is in Langfuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import grpc

from evalrpc._convert.datasets import (
    dataset_from_message,
    dataset_item_from_message,
    link_from_message,
    receipt_from_message,
)
from evalrpc._errors import error_from_call
from evalrpc._model.datasets import Dataset, DatasetItem, DatasetItemLink, Score, ScoreReceipt
from evalrpc._spec.data import LangfuseDataset
from evalrpc._spec.scores import link_request, list_items_request, scores_request
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import dataset_service_pb2, dataset_service_pb2_grpc, json_pb2


class DatasetCalls(ChannelOwner):
    """Reads datasets in Langfuse, links traces to their items, and writes scores."""

    @cached_property
    def _datasets(self) -> dataset_service_pb2_grpc.DatasetServiceStub:
        return dataset_service_pb2_grpc.DatasetServiceStub(self._channel)

    def list_dataset_items(
        self, dataset: LangfuseDataset | str, *, langfuse_project: str | None = None
    ) -> Iterator[DatasetItem]:
        """Yields the items of a dataset as an experiment would read them, as they arrive.

        Args:
            dataset: its name, or which of its items.
            langfuse_project: the project, by its name on the server; the only one by default.

        Raises:
            NotFoundError: there is no such dataset.
        """
        name, version = (dataset, None) if isinstance(dataset, str) else (dataset.name, dataset.version)
        call = self._datasets.ListDatasetItems(
            list_items_request(dataset, langfuse_project), metadata=self._connection.metadata
        )
        try:
            for answer in call:
                yield dataset_item_from_message(answer.item, name, version)
        except grpc.RpcError as error:
            raise error_from_call(error, self.address) from error
        finally:
            call.cancel()

    def link_dataset_item(
        self,
        *,
        dataset_name: str,
        dataset_item_id: str,
        run_name: str,
        trace_id: str,
        observation_id: str,
        run_description: str | None = None,
        run_metadata: Mapping[str, Any] | None = None,
        dataset_version: datetime | None = None,
        langfuse_project: str | None = None,
    ) -> DatasetItemLink:
        """Ties a trace of the caller's own to a dataset item, as part of a run.

        Args:
            dataset_name: the dataset.
            dataset_item_id: the item.
            run_name: the run, which comes into being with its first trace.
            trace_id: the trace, 32 hexadecimal digits.
            observation_id: the observation that stands for the item's result, 16 hexadecimal digits.
            run_description: what the run is about.
            run_metadata: facts about the run.
            dataset_version: the time as of which the item was read.
            langfuse_project: the project, by its name on the server; the only one by default.

        Raises:
            NotFoundError: there is no such dataset or item.
        """
        request = link_request(
            dataset_name=dataset_name,
            dataset_item_id=dataset_item_id,
            run_name=run_name,
            trace_id=trace_id,
            observation_id=observation_id,
            run_description=run_description,
            run_metadata=run_metadata,
            dataset_version=dataset_version,
            langfuse_project=langfuse_project,
        )
        return link_from_message(self._call(self._datasets.LinkDatasetItem, request))

    def create_scores(
        self, scores: Sequence[Score], *, langfuse_project: str | None = None, wait: bool = False
    ) -> list[ScoreReceipt]:
        """Writes scores; returns once the server has stored them, and delivers them for as long as it takes.

        Args:
            scores: the scores.
            langfuse_project: the project, by its name on the server; the only one by default.
            wait: until Langfuse has answered for each, or the call's time is nearly over.

        Returns:
            What became of each, in the order of the scores.

        Raises:
            InvalidRequestError: a score is wrong.
        """
        request = scores_request(scores, wait=wait, langfuse_project=langfuse_project)
        answer = self._call(self._datasets.CreateScores, request)
        return [receipt_from_message(receipt) for receipt in answer.receipts]

    def _dataset(self, name: str, langfuse_project: str | None) -> Dataset:
        request = dataset_service_pb2.GetDatasetRequest(
            name=name, langfuse_project=langfuse_project or "", json_encoding=json_pb2.JSON_ENCODING_TEXT
        )
        return dataset_from_message(self._call(self._datasets.GetDataset, request).dataset)
