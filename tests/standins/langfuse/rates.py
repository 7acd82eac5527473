"""Rate limits by resource, in fixed windows of a minute, as Langfuse Cloud counts them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from tests.standins.langfuse.clock import SECOND, Clock, http_date

WINDOW = 60 * SECOND

# Requests per organization and minute, by plan. A self-hosted server has no limits.
PLANS: Mapping[str, Mapping[str, int]] = {
    "hobby": {"ingestion": 1000, "datasets": 100, "public-api": 30, "legacy-reads": 15},
    "core": {"ingestion": 4000, "datasets": 200, "public-api": 100, "legacy-reads": 30},
    "pro": {"ingestion": 20000, "datasets": 1000, "public-api": 1000, "legacy-reads": 100},
}


class RateLimits:
    """Counts requests against a budget for each resource; off until `limits` is set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int]] = {}
        self.limits: dict[str, int] = {}
        self.refused = 0

    def use_plan(self, plan: str) -> None:
        """Apply the limits of ``hobby``, ``core`` or ``pro``."""
        self.limits = dict(PLANS[plan])
        self._windows.clear()

    def take(self, resource: str) -> web.Response | None:
        """Count one request; the 429 to answer with when the window's budget is used up."""
        limit = self.limits.get(resource)
        if limit is None:
            return None
        now = self._clock.now()
        start, used = self._windows.get(resource, (now, 0))
        if now - start >= WINDOW:
            start, used = now, 0
        self._windows[resource] = (start, used + 1)
        if used < limit:
            return None
        self.refused += 1
        end = start + WINDOW
        headers = {
            "Retry-After": str(-(-(end - now) // SECOND)),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": http_date(end),
        }
        return web.Response(status=429, text="429 - rate limit exceeded", headers=headers)
