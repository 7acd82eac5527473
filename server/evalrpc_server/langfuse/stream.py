"""One kind of a project's records on its way: read in order, cut into batches, sent until Langfuse has answered for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Generic

from evalrpc_server.domain.clock import Clock
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.backoff import Backoff
from evalrpc_server.langfuse.sending import B, Sender, Settlement
from evalrpc_server.store.port import PAGE_CHARACTERS, OutboxStore, QueuedRecord, StoreError

logger = logging.getLogger(__name__)

LINGER_SECONDS = 2.0
"""How long records wait for company while nobody waits for them."""

_IDLE_SECONDS = 30.0
_DEFERRED_SECONDS = 0.5
_SETTLE_SECONDS = 1.0


class Stream(Generic[B]):
    """Delivers one kind of records of a project, as long as it takes, in bounded memory.

    Args:
        project: by its name in the configuration.
        sender: makes the requests.
        store: where the records are queued.
        clock: for waiting.
        backoff: how failures are waited out; shared by the project's streams.
        settled: called when records were settled.
    """

    def __init__(
        self,
        project: str,
        sender: Sender[B],
        *,
        store: OutboxStore,
        clock: Clock,
        backoff: Backoff,
        settled: Callable[[], None],
        linger: float = LINGER_SECONDS,
    ) -> None:
        self._project = project
        self._sender = sender
        self._store = store
        self._clock = clock
        self._backoff = backoff
        self._settled = settled
        self._linger = linger
        self._slots = asyncio.Semaphore(sender.parallel)
        self._busy: set[int] = set()
        self._done: set[int] = set()  # since the page that is being read was asked for
        self._deferred = False
        self._after = 0
        self._scanning = False
        self._thorough = True
        self._noted = 0
        self._waiting = 1  # what an earlier process left
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._held = 0
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is known to be on its way."""
        return not (self._scanning or self._busy or self._waiting or self._deferred)

    def note(self, count: int) -> None:
        """Tells that records are about to be stored."""
        self._noted += count
        self._waiting += count
        self._arrived.set()
        if self._waiting >= self._sender.urgent:
            self._urgent.set()

    def hurry(self) -> None:
        """Sends what is there without waiting for more."""
        self._thorough = True
        self._arrived.set()
        self._urgent.set()

    def hold(self, change: int) -> None:
        """Counts those who wait for records to be delivered; while there are any, none lingers."""
        self._held += change
        if self._held:
            self.hurry()

    async def run(self) -> None:
        """Delivers until cancelled, from the oldest record that is queued."""
        self._after = failures = 0
        inherited = False
        try:
            while True:
                try:
                    if not inherited:
                        self._sender.inherit(await self._store.outbox_end())
                        inherited = True
                    await self._scan()
                    failures = 0
                except ApiError as error:
                    failures, self._deferred = failures + 1, True
                    await self._backoff.wait(failures, error)
                except StoreError as error:
                    self._deferred = True
                    logger.warning(
                        "the outbox cannot be read", extra={"project": self._project, "cause": str(error)}
                    )
                    await self._clock.sleep(_SETTLE_SECONDS)
                await self._wait()
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _wait(self) -> None:
        """Waits until there may be something to send, and for company unless it is urgent."""
        if not self._waiting and not self._deferred:
            await self._until(self._arrived, _IDLE_SECONDS)
        if self._deferred:
            await self._until(self._urgent, _DEFERRED_SECONDS)
        elif not self._held and self._waiting < self._sender.urgent:
            await self._until(self._urgent, self._linger)
        elif self._waiting:
            await self._clock.sleep(0.01)
        self._arrived.clear()
        self._urgent.clear()

    async def _until(self, event: asyncio.Event, seconds: float) -> None:
        tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _scan(self) -> None:
        """Sends what is queued, from the beginning where something had to be left behind.

        The few records that came while others were sent are left for a later scan, and so for a larger batch, unless someone
        waits for them.
        """
        self._scanning, noted = True, self._noted
        thorough, self._thorough = self._thorough, False
        if self._deferred:
            self._after, self._deferred, thorough = 0, False, True
        while page := await self._read():
            self._after = page[-1].position
            self._waiting = max(0, self._waiting - len(page))
            known = self._busy | self._done
            fresh = [queued for queued in page if queued.position not in known]
            async with aclosing(self._sender.batches(fresh)) as batches:
                while await self._send_next(batches):
                    pass
            if not (thorough or self._thorough or self._held or self._has_more(page)):
                break
        else:
            if not self._busy and self._noted == noted:
                self._waiting = 0
        self._scanning = False

    def _has_more(self, page: Sequence[QueuedRecord]) -> bool:
        """Whether there may be a batch behind a page; a page is cut where its payloads are large."""
        if self._waiting >= self._sender.urgent:
            return True
        return sum(len(queued.record.payload) for queued in page) >= PAGE_CHARACTERS // 2

    async def _read(self) -> Sequence[QueuedRecord]:
        """Reads the next page. It may name records that are settled before it is here: those are in `_done`."""
        self._done.clear()
        return await self._store.read_outbox(
            self._project, self._sender.kind, after=self._after, limit=self._sender.page
        )

    async def _send_next(self, batches: AsyncGenerator[B | Settlement]) -> bool:
        """Waits for a slot and starts on the next batch; returns False at the end."""
        await self._slots.acquire()
        try:
            found = await anext(batches, None)
        except BaseException:
            self._slots.release()
            raise
        if found is None or isinstance(found, Settlement):
            self._slots.release()
            if found is not None:
                await self._settle(found)
            return found is not None
        self._busy.update(found.positions)
        task = asyncio.create_task(self._deliver(found))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return True

    async def _deliver(self, batch: B) -> None:
        try:
            left = [batch]
            while left:
                settlement, rest = await self._attempt(left.pop())
                left.extend(rest)
                await self._settle(settlement)
        finally:
            self._busy.difference_update(batch.positions)
            self._done.update(batch.positions)
            self._slots.release()

    async def _attempt(self, batch: B) -> tuple[Settlement, Sequence[B]]:
        failures = 0
        while True:
            try:
                answer = await self._sender.send(batch)
            except ApiError as error:
                failures += 1
                await self._backoff.wait(failures, error)
            else:
                self._backoff.note_success()
                return answer

    async def _settle(self, settlement: Settlement) -> None:
        if settlement.deferred:
            self._deferred = True
        if not settlement.accepted and not settlement.rejected:
            return
        while True:
            try:
                await self._store.settle_outbox(accepted=settlement.accepted, rejected=settlement.rejected)
            except StoreError as error:
                logger.warning(
                    "deliveries cannot be noted; trying again",
                    extra={"project": self._project, "cause": str(error)},
                )
                await self._clock.sleep(_SETTLE_SECONDS)
            else:
                break
        for position, reason in settlement.rejected.items():
            logger.warning(
                "Langfuse refused a record",
                extra={
                    "project": self._project,
                    "kind": self._sender.kind,
                    "position": position,
                    "cause": reason,
                },
            )
        self._settled()
