"""Uploads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from grpc import aio

from evalrpc._connection import Metadata
from evalrpc._model.evaluators import Upload
from evalrpc.v1 import dataset_service_pb2 as service


async def upload_items(
    method: aio.StreamUnaryMultiCallable[service.UploadItemsRequest, service.UploadItemsResponse],
    messages: AsyncIterator[service.UploadItemsRequest],
    *,
    metadata: Metadata,
) -> Upload:
    """Sends messages as they come, and only as fast as the server takes them.

    Raises:
        grpc.aio.AioRpcError: the upload failed.
    """
    call = method(metadata=metadata)
    try:
        async for message in messages:
            if call.done():
                break  # its status says why
            try:
                await call.write(message)
            except (aio.AioRpcError, asyncio.InvalidStateError):
                break  # likewise
        else:
            await call.done_writing()
        response = await call
    finally:
        call.cancel()  # before the stream could look complete; without effect on one that is
    return Upload(response.upload_id, response.item_count)
