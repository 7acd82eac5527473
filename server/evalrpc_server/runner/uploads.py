"""Uploads that broke off: nobody can use them, so what they stored is removed."""

from __future__ import annotations

import asyncio
import logging

from evalrpc_server.store.port import ItemStore, StoreError

logger = logging.getLogger(__name__)

_LAST_SECONDS = 5.0


class BrokenUploads:
    """Removes them while the server goes on; what it does not come to is removed after its next start."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._removing: set[asyncio.Task[None]] = set()

    async def recover(self) -> None:
        """Removes what broke off with an earlier process. To be called once, before serving."""
        for upload_id in await self._store.abandoned_collections():
            self.discard(upload_id)

    def discard(self, upload_id: str) -> None:
        """Removes an upload, without waiting."""
        task = asyncio.create_task(self._remove(upload_id))
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)

    async def aclose(self) -> None:
        """Finishes what takes no longer than a few seconds."""
        if self._removing:
            await asyncio.wait(self._removing, timeout=_LAST_SECONDS)
        for task in self._removing:
            task.cancel()
        await asyncio.gather(*self._removing, return_exceptions=True)

    async def _remove(self, upload_id: str) -> None:
        try:
            await self._store.discard_collection(upload_id)
        except StoreError as error:
            logger.warning(
                "a broken upload cannot be removed; the next start does it",
                extra={"upload_id": upload_id, "cause": str(error)},
            )
