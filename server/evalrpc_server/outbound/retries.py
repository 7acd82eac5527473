"""Which answers are worth another attempt, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same call may succeed later."""

MAX_RETRY_AFTER = 120.0
"""The longest wait that an endpoint can ask for, in seconds."""

_LONGEST_LIMIT_SECONDS = 3600.0

_QUOTA_EXHAUSTED = re.compile(
    r'"(?:code|type)"\s*:\s*"(?:insufficient_quota|insufficient_user_quota|billing_hard_limit_reached'
    r'|exceeded_current_quota_error)"'
)


def is_quota_exhausted(status: int, headers: Mapping[str, str], body: str) -> bool:
    """Tells an account without any quota left, which no waiting mends, from calls that come too fast: both are 429.

    Azure says insufficient_quota of limits per minute too, with a `Retry-After` of seconds.

    Args:
        status: of the answer.
        headers: names in lower case.
        body: what the answer begins with.
    """
    return status == 429 and bool(_QUOTA_EXHAUSTED.search(body)) and not _returns_soon(headers)


def is_throttled(status: int, headers: Mapping[str, str], body: str) -> bool:
    """Returns whether an answer says that calls come too fast: 429, or 503 with `Retry-After`.

    Args:
        status: of the answer.
        headers: names in lower case.
        body: what the answer begins with.
    """
    return (status == 429 and not is_quota_exhausted(status, headers, body)) or (
        status == 503 and "retry-after" in headers
    )


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that an answer asks to wait, by `retry-after-ms` or `Retry-After`; None where it does not.

    Args:
        headers: names in lower case.
    """
    milliseconds = headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d{1,12}(?:\.\d+)?", milliseconds):
        return min(float(milliseconds) / 1000, MAX_RETRY_AFTER)
    return parse_retry_after(headers.get("retry-after"))


def _returns_soon(headers: Mapping[str, str]) -> bool:
    value = headers.get("retry-after", "").strip()
    return bool(re.fullmatch(r"\d{1,9}(?:\.\d+)?", value)) and 0 < float(value) <= _LONGEST_LIMIT_SECONDS


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
