"""What endpoints say of the calls and tokens that are left, in the headers that are in use for it.

* `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`: OpenAI and what is compatible with it; reset as "6m0s" or "12ms".
* `x-ratelimit-{limit,remaining,reset}`: GitHub and many others; reset in seconds, or as a Unix time, also in milliseconds.
* `ratelimit-{limit,remaining,reset}`: draft-ietf-httpapi-ratelimit-headers-07; reset in seconds.
* `ratelimit: "default";r=50;t=30`: the later drafts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping

from msgspec import Struct

_NAMES = (
    ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
)
_STRUCTURED = "ratelimit"
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_PARTS = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIX_TIMES = 1e9
_UNIX_MILLISECONDS = 1e11
_LOW_SHARE = 0.02
"""The share of a quota below which it counts as used up: calls are under way that it does not know of yet."""


class Quota(Struct, frozen=True):
    """One quota.

    Attributes:
        remaining: what is left of it.
        reset: seconds until all of it is there again.
        limit: all of it; None where that was not said.
        refills: whether it fills up all the time, and not at the reset alone.
        calls: whether it counts calls, and not tokens.
    """

    remaining: float
    reset: float
    limit: float | None
    refills: bool
    calls: bool

    def exhausted_seconds(self, in_flight: int) -> float:
        """Returns how long nothing should be called; 0 where there is enough left.

        Args:
            in_flight: calls under way, of which the quota may not know yet.
        """
        low = _LOW_SHARE * (self.limit or 0.0)
        if self.calls:
            low = max(low, float(min(in_flight, 10)))
        if self.remaining > 0 and (self.limit is None or self.remaining > low):
            return 0.0
        if not self.refills or self.limit is None or self.limit <= self.remaining:
            return self.reset if self.remaining <= 0 else 0.0
        per_second = (self.limit - self.remaining) / max(self.reset, 1e-3)
        return (2 * low + 1 - self.remaining) / per_second


def read_quotas(headers: Mapping[str, str]) -> Iterator[Quota]:
    """Yields the quotas that an answer's headers tell of.

    Args:
        headers: names in lower case.
    """
    for limit, remaining, reset in _NAMES:
        if remaining in headers:
            left, seconds = _number(headers[remaining]), parse_reset(headers.get(reset, ""))
            if left is not None and seconds is not None:
                refills = reset.endswith(("-requests", "-tokens"))
                yield Quota(
                    left, seconds, _number(headers.get(limit, "")), refills, not reset.endswith("-tokens")
                )
    if _STRUCTURED in headers:
        yield from _structured(headers[_STRUCTURED])


def parse_reset(value: str) -> float | None:
    """Returns the seconds of a reset: "30", "6m0s", "12ms", or a Unix time, also in milliseconds; None where it is something else."""
    value = value.strip()
    if _PARTS.fullmatch(value):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    seconds = _number(value)
    if seconds is None:
        return None
    if seconds > _UNIX_MILLISECONDS:
        seconds /= 1000
    return max(seconds - time.time(), 0.0) if seconds > _UNIX_TIMES else seconds


def _number(value: str) -> float | None:
    value = value.split(",", maxsplit=1)[0].strip()
    return float(value) if re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?", value) else None


def _structured(value: str) -> Iterator[Quota]:
    for item in value.split(","):
        fields = dict(part.strip().partition("=")[::2] for part in item.split(";")[1:])
        left, seconds = _number(fields.get("r", "")), _number(fields.get("t", ""))
        if left is not None and seconds is not None:
            yield Quota(left, seconds, None, refills=False, calls=True)
