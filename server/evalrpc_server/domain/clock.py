"""Time as a dependency, so that tests decide what time it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations, and sleeping."""

    def now(self) -> datetime:
        """Returns the time of day, in UTC."""

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Returns the time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Returns after that many seconds."""
        await asyncio.sleep(seconds)
