"""The live end of an experiment's log: what watchers get without asking the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct, field

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.results import ItemResult


class Published(Struct, frozen=True, eq=False):
    """A stored event on its way to watchers.

    Attributes:
        event: the event.
        forms: what entry points made of it, by a key of their own, so that a thousand watchers share the work.
    """

    event: Event
    forms: dict[object, object] = field(default_factory=dict)


class Feed:
    """The newest events of one experiment, bounded by number and text. A watcher that falls behind reads the store."""

    def __init__(self, *, last_sequence: int, events: int = 1024, characters: int = 8 * 1024 * 1024) -> None:
        self._recent: deque[tuple[Published, int]] = deque()
        self._max_events = events
        self._max_characters = characters
        self._characters = 0
        self._last = last_sequence
        self._changed = asyncio.Event()
        self._closed = False
        self._watchers = 0
        self._taken = last_sequence
        self._caught_up = asyncio.Event()

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest stored event."""
        return self._last

    @property
    def closed(self) -> bool:
        """Whether no more events come from this process."""
        return self._closed

    def publish(self, events: Sequence[Event]) -> None:
        """Shows events, which are stored already, to the watchers."""
        for event in events:
            size = _characters(event)
            self._recent.append((Published(event), size))
            self._characters += size
            self._last = event.sequence
        while len(self._recent) > self._max_events or (
            self._characters > self._max_characters and len(self._recent) > 1
        ):
            self._characters -= self._recent.popleft()[1]
        self._wake()

    def close(self) -> None:
        """Tells the watchers that no more events come from this process."""
        self._closed = True
        self._wake()

    def since(self, sequence: int) -> list[Published] | None:
        """Returns the events behind a sequence, or None where some of them are only in the store."""
        self._taken = max(self._taken, sequence)
        if sequence >= self._last:
            self._caught_up.set()
            return []
        if not self._recent or self._recent[0][0].event.sequence > sequence + 1:
            return None
        skip = sequence + 1 - self._recent[0][0].event.sequence
        return [published for published, _ in list(self._recent)[skip:]]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Counts a watcher in the block."""
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._caught_up.set()

    async def taken(self, *, seconds: float) -> None:
        """Waits until the fastest watcher has all events, at most so long; not at all where nobody watches."""
        if not self._watchers or self._taken >= self._last:
            return
        self._caught_up.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._caught_up.wait()

    async def wait(self, sequence: int, *, seconds: float) -> bool:
        """Waits for an event behind a sequence, or the end of the feed; returns whether it came in time."""
        try:
            async with asyncio.timeout(seconds):
                while self._last <= sequence and not self._closed:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _characters(event: Event) -> int:
    body = event.body
    if not isinstance(body, ItemResult):
        return 1000
    contexts = sum(len(context.text) for context in body.outcome.contexts)
    return body.item.size + len(body.outcome.output or "") + contexts + 1000
