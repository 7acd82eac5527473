"""The servicer of `evalrpc.v1.DatasetService`."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from evalrpc.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc, item_pb2
from evalrpc_server.domain.datasets import DatasetItem
from evalrpc_server.domain.errors import InvalidRequestError, PreconditionError, Violation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.own_scores import OwnScores
from evalrpc_server.langfuse.service import HostedDatasets
from evalrpc_server.protobuf.datasets import (
    dataset_item_to_message,
    dataset_to_message,
    link_from_message,
    linked_to_message,
)
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.items import read_items, wanted_ids
from evalrpc_server.protobuf.scores import receipt_to_message, scores_from_messages
from evalrpc_server.protobuf.spec import dataset_from_message
from evalrpc_server.rpc.context import Context
from evalrpc_server.rpc.encoding import MAX_MESSAGE_BYTES, converted, encoding_from_number
from evalrpc_server.runner.uploads import BrokenUploads
from evalrpc_server.store.port import ItemStore

_ROOM = MAX_MESSAGE_BYTES - 1024
_LONGEST_WAIT = 300.0
_SPARE_SECONDS = 0.5


class DatasetServicer(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Takes data that is larger than one message, and hands Langfuse's datasets to callers."""

    def __init__(
        self, *, store: ItemStore, broken: BrokenUploads, hosted: HostedDatasets, scores: OwnScores
    ) -> None:
        self._store = store
        self._broken = broken
        self._hosted = hosted
        self._scores = scores

    async def GetDataset(
        self, request: dataset_service_pb2.GetDatasetRequest, context: Context
    ) -> dataset_service_pb2.GetDatasetResponse:
        """Returns a dataset."""
        encoding = encoding_from_number(request.json_encoding)
        if not request.name.strip():
            raise InvalidRequestError([Violation("name", "is required")])
        dataset = await self._hosted.get(request.name, project=request.langfuse_project)
        return dataset_service_pb2.GetDatasetResponse(dataset=dataset_to_message(dataset, encoding))

    async def ListDatasetItems(
        self, request: dataset_service_pb2.ListDatasetItemsRequest, context: Context
    ) -> AsyncIterator[dataset_service_pb2.ListDatasetItemsResponse]:
        """Streams a dataset's items."""
        encoding = encoding_from_number(request.json_encoding)
        selection, violations = dataset_from_message(request.langfuse_dataset, path="langfuse_dataset")
        if selection is None:
            raise InvalidRequestError(violations)
        async with aclosing(self._hosted.items(selection, project=request.langfuse_project)) as pages:
            async for page in pages:
                for item in page:
                    yield dataset_service_pb2.ListDatasetItemsResponse(item=_item(item, encoding))

    async def LinkDatasetItem(
        self, request: dataset_service_pb2.LinkDatasetItemRequest, context: Context
    ) -> dataset_service_pb2.LinkDatasetItemResponse:
        """Ties a trace of the caller's own to a dataset item."""
        link, violations = link_from_message(request)
        if violations:
            raise InvalidRequestError(violations)
        return linked_to_message(await self._hosted.link(link, project=request.langfuse_project))

    async def CreateScores(
        self, request: dataset_service_pb2.CreateScoresRequest, context: Context
    ) -> dataset_service_pb2.CreateScoresResponse:
        """Stores scores to be delivered, and waits for the answers where that is asked for."""
        scores, violations = scores_from_messages(request.scores, path="scores")
        if violations:
            raise InvalidRequestError(violations)
        receipts = await self._scores.create(
            scores, project=request.langfuse_project, seconds=_patience(context) if request.wait else 0.0
        )
        return dataset_service_pb2.CreateScoresResponse(
            receipts=[receipt_to_message(receipt) for receipt in receipts]
        )

    async def UploadItems(
        self, request_iterator: AsyncIterator[dataset_service_pb2.UploadItemsRequest], context: Context
    ) -> dataset_service_pb2.UploadItemsResponse:
        """Stores items as they arrive; the upload can be used once the stream has ended well."""
        upload_id = f"upl_{secrets.token_hex(10)}"
        await self._store.create_collection(upload_id)
        try:
            count = await self._receive(upload_id, request_iterator)
            await self._store.append_items(upload_id, (), complete=True)
        except BaseException:
            self._broken.discard(upload_id)
            raise
        return dataset_service_pb2.UploadItemsResponse(upload_id=upload_id, item_count=count)

    async def _receive(
        self, upload_id: str, request_iterator: AsyncIterator[dataset_service_pb2.UploadItemsRequest]
    ) -> int:
        count = number = 0
        async for request in request_iterator:
            number += 1
            match request.WhichOneof("part"):
                case "items":
                    count += await self._append(upload_id, request.items.items, count)
                case "header":
                    if number > 1:
                        raise InvalidRequestError([Violation("header", "must be in the first message only")])
                case _:
                    raise InvalidRequestError(
                        [Violation("items", "is required in every message but the first")]
                    )
        if count == 0:
            raise InvalidRequestError([Violation("items.items", "must hold at least one item")])
        return count

    async def _append(self, upload_id: str, messages: Sequence[item_pb2.Item], first_index: int) -> int:
        known = await self._store.known_item_ids(upload_id, wanted_ids(messages))
        items, violations = await converted(
            sum(message.ByteSize() for message in messages),
            lambda: read_items(messages, path="items.items", first_index=first_index, known_ids=known),
        )
        if violations:
            raise InvalidRequestError(violations)
        await self._store.append_items(upload_id, items)
        return len(items)


def _item(item: DatasetItem, encoding: Encoding) -> dataset_pb2.DatasetItem:
    """Writes an item so that it fits into one message."""
    message = dataset_item_to_message(item, encoding)
    if message.ByteSize() > _ROOM:
        message = dataset_item_to_message(item, Encoding.TEXT)
    if message.ByteSize() > _ROOM:
        raise PreconditionError(
            Reason.PAYLOAD_TOO_LARGE,
            f"the dataset item {item.id!r} is larger than a message may be; leave it out by metadata_equals or item_ids",
            dataset_item_id=item.id,
            limit_bytes=str(MAX_MESSAGE_BYTES),
            size_bytes=str(message.ByteSize()),
        )
    return message


def _patience(context: Context) -> float:
    """Returns for how many seconds a call may wait, so that its answer is there before its deadline."""
    remaining: float | None = context.time_remaining()
    return _LONGEST_WAIT if remaining is None else min(_LONGEST_WAIT, max(0.0, remaining - _SPARE_SECONDS))
