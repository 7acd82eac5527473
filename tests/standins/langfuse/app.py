"""A stand-in as one object: start, addresses, switches, and what it holds."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.standins.langfuse import (
    dataset_routes,
    experiments,
    ingestion,
    observation_routes,
    otlp_routes,
    run_item_routes,
    score_routes,
    trace_routes,
)
from tests.standins.langfuse.auth import Authenticator
from tests.standins.langfuse.clock import SECOND, Clock
from tests.standins.langfuse.control import Control
from tests.standins.langfuse.faults import Faults
from tests.standins.langfuse.rates import RateLimits
from tests.standins.langfuse.requestlog import RequestLog
from tests.standins.langfuse.routing import Pipeline, Route
from tests.standins.langfuse.settings import Settings
from tests.standins.langfuse.store import ProjectData

ROUTES: tuple[Route, ...] = (
    *dataset_routes.ROUTES,
    *run_item_routes.ROUTES,
    *score_routes.ROUTES,
    *ingestion.ROUTES,
    *otlp_routes.ROUTES,
    *experiments.ROUTES,
    *observation_routes.ROUTES,
    *trace_routes.ROUTES,
)


class LangfuseStandIn:
    """A Langfuse server for tests; an asynchronous context manager, or `start` and `close`.

    Attributes:
        settings: How it was told to behave.
        clock: Its time; ``clock.advance(seconds)`` moves it.
        faults: Outages by rule, see `Fault`.
        rates: Rate limits, off until a plan or limits are set.
        log: The requests so far.
        projects: The records, by project id.
        answer_delay: Seconds that every answer waits.
        answering: Cleared, answers wait until it is set.
        date_skew: Seconds by which the ``Date`` header is wrong.
    """

    def __init__(self, settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or Settings()
        self.clock = Clock()
        self.faults = Faults()
        self.rates = RateLimits(self.clock)
        self.auth = Authenticator(self.settings)
        self.log = RequestLog(keep=not self.settings.count_only)
        self.projects: dict[str, ProjectData] = {}
        self.answer_delay = 0.0
        self.answering = asyncio.Event()
        self.answering.set()
        self.date_skew = 0.0
        self._host = host
        self._port = port
        self._control_port = 0
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self.reset()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen on the API's port, and on a second one that stays up during outages."""
        app = web.Application(client_max_size=0)
        pipeline = Pipeline(self)
        app.router.add_get("/api/public/health", pipeline.health())
        for route in ROUTES:
            app.router.add_route(route.method, f"/api/public{route.path}", pipeline.endpoint(route))
        app.add_routes(Control(self).routes())
        app.router.add_route("*", "/{anything:.*}", pipeline.nowhere)
        self._runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        control = web.TCPSite(self._runner, self._host, 0)
        await control.start()
        self._control_port = self._runner.addresses[0][1]
        await self.come_up()

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._site = None

    async def go_down(self) -> None:
        """Refuse connections to the API's port and abort the open ones."""
        if self._site is None or self._runner is None:
            return
        site, self._site = self._site, None
        await site.stop()
        server = self._runner.server
        for connection in list(server.connections) if server is not None else []:
            transport: Any = connection.transport
            if transport is not None and transport.get_extra_info("sockname")[1] == self._port:
                transport.abort()

    async def come_up(self) -> None:
        """Listen on the API's port (again)."""
        if self._site is not None or self._runner is None:
            return
        site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await site.start()
        self._site = site
        if self._port == 0:
            taken = [address[1] for address in self._runner.addresses]
            self._port = next(port for port in taken if port != self._control_port)

    @property
    def url(self) -> str:
        """The base URL, as in ``LANGFUSE_BASE_URL``."""
        return f"http://{self._host}:{self._port}"

    @property
    def control_url(self) -> str:
        """Where ``/__standin`` answers even while the API refuses connections."""
        return f"http://{self._host}:{self._control_port}"

    def project(self, project_id: str | None = None) -> ProjectData:
        """A project's records; without an id those of the first."""
        return self.projects[project_id or self.settings.projects[0].id]

    def environment(self, project_id: str | None = None) -> dict[str, str]:
        """The ``LANGFUSE_*`` variables that lead a client to a project."""
        keys = self.project(project_id).keys
        return {
            "LANGFUSE_BASE_URL": self.url,
            "LANGFUSE_HOST": self.url,
            "LANGFUSE_PUBLIC_KEY": keys.public_key,
            "LANGFUSE_SECRET_KEY": keys.secret_key,
        }

    def reset(self) -> None:
        """Forget all records and requests; faults and switches stay."""
        self.projects = {
            keys.id: ProjectData(keys, self.settings, self.clock) for keys in self.settings.projects
        }
        self.log.clear()

    def show_all(self) -> None:
        """Make everything received so far readable now."""
        for project in self.projects.values():
            project.visibility.show_all()

    def hold_records(self, held: bool = True) -> None:
        """Keep what comes in unreadable until `show_all`, or stop doing so."""
        for project in self.projects.values():
            project.visibility.held = held

    def stats(self) -> dict[str, Any]:
        """Counts of requests, faults and records."""
        return {
            "mode": self.settings.mode,
            "version": self.settings.version,
            "requests": dict(self.log.totals),
            "statuses": dict(self.log.statuses),
            "body_bytes": dict(self.log.body_bytes),
            "faults": dict(self.faults.struck),
            "rate_limited": self.rates.refused,
            "projects": {
                name: project.counts(count_only=self.settings.count_only)
                for name, project in self.projects.items()
            },
        }

    @property
    def tells_time(self) -> bool:
        """Whether the ``Date`` header has to differ from the machine's time."""
        return bool(self.date_skew) or self.clock.moved

    def date(self) -> int:
        """The time for the ``Date`` header, in ns."""
        return self.clock.now() + round(self.date_skew * SECOND)

    def is_down(self, request: web.Request) -> bool:
        """Whether this request came in over a connection that an outage should have cut."""
        if self._site is not None or request.transport is None:
            return False
        return bool(request.transport.get_extra_info("sockname")[1] == self._port)

    def methods_of(self, request: web.Request) -> list[str]:
        """The methods that exist for the path of an unknown request."""
        parts = request.rel_url.raw_path.removeprefix("/api/public").split("/")
        return [route.method for route in ROUTES if _fits(route.path.split("/"), parts)]

    async def closing_within(self, seconds: float) -> None:
        """Wait that long, or until the stand-in closes."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return


def _fits(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(
        expected.startswith("{") or expected == part for expected, part in zip(pattern, parts, strict=True)
    )
