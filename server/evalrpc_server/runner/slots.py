"""Bounds of a run: how many task calls are in flight, and how much unfinished work is held in memory."""

from __future__ import annotations

import asyncio


class Slots:
    """Task calls that may be in flight at once. A slot is free for the next the moment that it is released."""

    def __init__(self, limit: int) -> None:
        self._semaphore = asyncio.Semaphore(limit)

    async def acquire(self) -> None:
        """Takes a slot, first come first served."""
        await self._semaphore.acquire()

    def release(self) -> None:
        """Gives a slot back."""
        self._semaphore.release()


class Room:
    """Trials that are begun and not yet stored, bounded by number and by the text of their items.

    A trial that waits for its retry or for a slow evaluator holds no slot, so others begin meanwhile; this is what keeps
    their number finite. One trial is always let in, however large.
    """

    def __init__(self, *, trials: int, characters: int) -> None:
        self._max_trials = trials
        self._max_characters = characters
        self._trials = 0
        self._characters = 0
        self._left = asyncio.Event()

    @property
    def trials(self) -> int:
        """How many trials are in."""
        return self._trials

    async def enter(self, characters: int) -> None:
        """Waits until there is room for one more trial, and takes it."""
        while self._trials and (
            self._trials >= self._max_trials or self._characters + characters > self._max_characters
        ):
            self._left.clear()
            await self._left.wait()
        self._trials += 1
        self._characters += characters

    def leave(self, characters: int) -> None:
        """Gives the room of a trial back."""
        self._trials -= 1
        self._characters -= characters
        self._left.set()


async def give_way() -> None:
    """Lets the task call that waits for a slot go out before the caller goes on to work that can wait."""
    await asyncio.sleep(0)
