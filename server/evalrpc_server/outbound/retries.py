"""Which answers are worth another attempt, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same call may succeed later."""

MAX_RETRY_AFTER = 120.0
"""The longest wait that an endpoint can ask for, in seconds."""


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Returns the seconds of a `Retry-After` header (RFC 9110, 10.2.3), from 0 to 120; None where it says nothing.

    Args:
        value: a number of seconds, also with a fraction as some servers send it, or an HTTP date.
        now: what a date is compared with; by default the present.
    """
    if value is None or not (value := value.strip()):
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    if seconds != seconds:  # noqa: PLR0124 - not a number
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
