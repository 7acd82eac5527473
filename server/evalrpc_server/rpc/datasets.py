"""The servicer of `evalrpc.v1.DatasetService`."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence

from evalrpc.v1 import dataset_service_pb2, dataset_service_pb2_grpc, item_pb2
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.protobuf.items import read_items, wanted_ids
from evalrpc_server.rpc.context import Context
from evalrpc_server.store.port import ItemStore


class DatasetServicer(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Takes data that is larger than one message."""

    def __init__(self, *, store: ItemStore) -> None:
        self._store = store

    async def UploadItems(
        self, request_iterator: AsyncIterator[dataset_service_pb2.UploadItemsRequest], context: Context
    ) -> dataset_service_pb2.UploadItemsResponse:
        """Stores items as they arrive; the upload can be used once the stream has ended well."""
        upload_id = f"upl_{secrets.token_hex(10)}"
        await self._store.create_collection(upload_id)
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
        await self._store.append_items(upload_id, (), complete=True)
        return dataset_service_pb2.UploadItemsResponse(upload_id=upload_id, item_count=count)

    async def _append(self, upload_id: str, messages: Sequence[item_pb2.Item], first_index: int) -> int:
        known = await self._store.known_item_ids(upload_id, wanted_ids(messages))
        items, violations = read_items(messages, path="items.items", first_index=first_index, known_ids=known)
        if violations:
            raise InvalidRequestError(violations)
        await self._store.append_items(upload_id, items)
        return len(items)
