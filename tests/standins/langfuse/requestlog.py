"""What was asked of the stand-in: totals for every route, and the last requests in detail."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass

from aiohttp import web

KEPT = 20_000
HEADERS = (
    "content-type",
    "content-encoding",
    "user-agent",
    "x-langfuse-ingestion-version",
    "x-langfuse-sdk-name",
    "x-langfuse-sdk-version",
    "x-langfuse-public-key",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was answered; status 0 means that it got no answer."""

    method: str
    route: str
    path: str
    query: str
    status: int
    project: str | None
    body_bytes: int
    headers: dict[str, str]


class RequestLog:
    """Counts all requests and keeps the last `KEPT` of them, or none when only counting."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.totals: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.body_bytes: Counter[str] = Counter()

    def add(self, request: web.Request, route: str, status: int, project: str | None, size: int) -> None:
        """Record a request that was answered with `status`, or cut off (0)."""
        name = f"{request.method} {route}"
        self.totals[name] += 1
        self.statuses[f"{name} {status}"] += 1
        self.body_bytes[name] += size
        if self._keep:
            headers = {key: request.headers[key] for key in HEADERS if key in request.headers}
            self.entries.append(
                Entry(
                    request.method,
                    route,
                    request.rel_url.raw_path,
                    request.query_string,
                    status,
                    project,
                    size,
                    headers,
                )
            )

    def count(self, route: str, *, status: int | None = None) -> int:
        """How many requests a route such as ``"POST /api/public/scores"`` got."""
        return self.totals[route] if status is None else self.statuses[f"{route} {status}"]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.totals.clear()
        self.statuses.clear()
        self.body_bytes.clear()

    def recent(self) -> list[dict[str, object]]:
        """The kept requests, oldest first."""
        return [asdict(entry) for entry in self.entries]
