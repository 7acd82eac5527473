"""The stand-in's time, which a test may move, and when a written record becomes readable."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock:
    """Real time plus an offset; ``freeze`` stops it, ``advance`` moves it either way."""

    def __init__(self) -> None:
        self._offset = 0
        self._frozen: int | None = None

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return (time.time_ns() if self._frozen is None else self._frozen) + self._offset

    def now_ms(self) -> int:
        """Nanoseconds since the epoch, cut to the millisecond that the API shows."""
        return self.now() // MILLISECOND * MILLISECOND

    @property
    def moved(self) -> bool:
        """Whether this clock differs from the machine's."""
        return bool(self._offset) or self._frozen is not None

    def advance(self, seconds: float) -> None:
        """Move the clock forward, or back when negative."""
        self._offset += round(seconds * SECOND)

    def freeze(self) -> None:
        """Stop at the present moment; only ``advance`` moves the clock from then on."""
        if self._frozen is None:
            self._frozen = time.time_ns()


class Visibility:
    """Decides which records readers can see yet; records carry a number and a time of receipt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._shown = 0
        self.held = False

    def stamp(self, delay: float) -> tuple[int, int]:
        """The receipt of a record that is readable after `delay` seconds: its number and due time."""
        self._count += 1
        return self._count, self._clock.now() + round(delay * SECOND)

    def sees(self, stamp: tuple[int, int]) -> bool:
        """Whether a record with this receipt can be read now."""
        return stamp[0] <= self._shown or (not self.held and stamp[1] <= self._clock.now())

    def show_all(self) -> None:
        """Make everything received so far readable at once."""
        self._shown = self._count


def iso(nanoseconds: int) -> str:
    """The API's time format: ISO 8601 in UTC with milliseconds."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // MILLISECOND:03d}Z"


def http_date(nanoseconds: int) -> str:
    """The form of the ``Date`` header."""
    return format_datetime(datetime.fromtimestamp(nanoseconds // SECOND, UTC), usegmt=True)


def parse_time(text: str) -> int | None:
    """Nanoseconds since the epoch of an ISO 8601 time with an offset; None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * SECOND + moment.microsecond * 1000
