"""One kind of records on its way: each is sent once, whatever is read from the outbox meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.langfuse.backoff import Backoff
from evalrpc_server.langfuse.sending import Settlement
from evalrpc_server.langfuse.stream import Stream
from evalrpc_server.store.port import OutboxRecord, OutboxStore, QueuedRecord

FIRST, SECOND = 1, 2
RECORD = OutboxRecord(id="id", experiment_id="experiment", project="main", kind="score", payload="{}")


class Outbox:
    """Keeps two records in memory; a read takes its rows, and hands them over when it is let."""

    def __init__(self) -> None:
        self.rows = {position: QueuedRecord(position=position, record=RECORD) for position in (FIRST, SECOND)}
        self.reads: asyncio.Queue[Sequence[int]] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()
        self.empty = asyncio.Event()

    def close(self) -> None:
        """Holds back what is read from here on."""
        self.open.clear()
        self.reads = asyncio.Queue()

    async def read_outbox(
        self, project: str, kind: str, *, after: int = 0, limit: int, characters: int = 0
    ) -> Sequence[QueuedRecord]:
        rows = [row for position, row in sorted(self.rows.items()) if position > after]
        self.reads.put_nowait([row.position for row in rows])
        await self.open.wait()
        return rows

    async def outbox_end(self) -> int:
        return max(self.rows, default=0)

    async def settle_outbox(
        self, *, accepted: Collection[int] = (), rejected: Mapping[int, str] | None = None
    ) -> None:
        for position in accepted:
            del self.rows[position]
        if not self.rows:
            self.empty.set()


@dataclass
class Letter:
    """One record in a request of its own."""

    positions: Sequence[int]


@dataclass
class Post:
    """Puts the first record off once, and sends the second when it is let."""

    kind: str = "score"
    parallel: int = 2
    page: int = 10
    urgent: int = 10
    sent: list[int] = field(default_factory=list)
    sending: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    deferrals: int = 1
    inherited: int = 0

    def inherit(self, end: int) -> None:
        self.inherited = end

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[Letter | Settlement]:
        for row in queued:
            if row.position == FIRST and self.deferrals:
                self.deferrals -= 1
                yield Settlement(deferred=[FIRST])
            else:
                yield Letter([row.position])

    async def send(self, batch: Letter) -> tuple[Settlement, Sequence[Letter]]:
        self.sent.extend(batch.positions)
        if SECOND in batch.positions:
            self.sending.set()
            await self.answer.wait()
        return Settlement(accepted=batch.positions), []


async def test_a_record_that_settles_while_its_page_is_read_again_is_not_sent_again() -> None:
    outbox, post, settled = Outbox(), Post(), asyncio.Event()
    stream = Stream(
        "main",
        post,
        store=cast(OutboxStore, outbox),
        clock=SystemClock(),
        backoff=Backoff("main", SystemClock()),
        settled=settled.set,
    )
    stream.hold(1)
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(30):
            await post.sending.wait()
            outbox.close()
            while SECOND not in await outbox.reads.get():
                pass
            post.answer.set()
            await settled.wait()
            outbox.open.set()
            await outbox.empty.wait()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert sorted(post.sent) == [FIRST, SECOND]
    assert post.inherited == SECOND
