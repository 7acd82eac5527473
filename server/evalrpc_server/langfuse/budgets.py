"""Rate budgets: what Langfuse lets a project's callers do in a minute, learned from its answers.

Langfuse Cloud counts requests per resource in fixed windows of a minute. It tells a budget with the 429 that ends it:
`Retry-After`, `X-RateLimit-Limit`, `X-RateLimit-Remaining`. A self-hosted server has no budgets and never answers so.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.outbound.retries import parse_retry_after

WINDOW_SECONDS = 61.0
"""The length of a window, and a second more: ours begins when a request is sent, Langfuse's when it arrives."""

INGESTION = "ingestion"
DATASETS = "datasets"
PUBLIC_API = "public-api"

_RESOURCES = {
    "/api/public/otel": INGESTION,
    "/api/public/ingestion": INGESTION,
    "/api/public/datasets": DATASETS,
    "/api/public/v2/datasets": DATASETS,
    "/api/public/dataset-items": DATASETS,
    "/api/public/dataset-run-items": DATASETS,
}


def resource_of(path: str) -> str:
    """Returns the resource that a request counts against."""
    return next((name for prefix, name in _RESOURCES.items() if path.startswith(prefix)), PUBLIC_API)


class _Window(Struct):
    """The budget of one resource; `limit` is None until a 429 has told it."""

    limit: int | None = None
    used: int = 0
    start: float = 0.0
    closed_until: float = 0.0


class Budgets:
    """The budgets of one project, shared by everything that calls Langfuse for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    async def admit(self, resource: str) -> None:
        """Waits until a request may be sent, and counts it."""
        window = self._windows.setdefault(resource, _Window())
        while (wait := self._wait(window)) > 0:
            await self._clock.sleep(wait)
        window.used += 1

    def wait(self, resource: str) -> float:
        """Returns the seconds until a request may be sent."""
        window = self._windows.get(resource)
        return self._wait(window) if window else 0.0

    def note(self, resource: str, status: int, headers: Mapping[str, str]) -> None:
        """Learns from an answer."""
        window = self._windows.setdefault(resource, _Window())
        limit, remaining = (_number(headers.get(f"x-ratelimit-{what}")) for what in ("limit", "remaining"))
        if limit is not None:
            window.limit = limit
        if status == 429 or remaining == 0:
            seconds = parse_retry_after(headers.get("retry-after"))
            if seconds is None and status != 429:
                return
            pause = 1.0 if seconds is None else seconds
            window.closed_until = max(window.closed_until, self._clock.monotonic() + pause)

    def _wait(self, window: _Window) -> float:
        now = self._clock.monotonic()
        if now < window.closed_until:
            return window.closed_until - now
        if window.limit is None:
            return 0.0
        if window.start < window.closed_until or now - window.start >= WINDOW_SECONDS:
            window.start, window.used = now, 0
        return 0.0 if window.used < window.limit else window.start + WINDOW_SECONDS - now


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None
