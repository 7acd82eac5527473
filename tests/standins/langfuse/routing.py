"""The way of every request: faults, mode, authentication, rate limit, body limit, handler, log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.standins.langfuse.answers import NOT_FOUND_PAGE, Json, Refused, json_response, read_json
from tests.standins.langfuse.clock import http_date
from tests.standins.langfuse.faults import CUT, LOST, TIMEOUT, Fault
from tests.standins.langfuse.otlp import inflate
from tests.standins.langfuse.settings import ProjectKeys, Settings
from tests.standins.langfuse.store import ProjectData

if TYPE_CHECKING:
    from multidict import MultiMapping

    from tests.standins.langfuse.app import LangfuseStandIn

MIB = 1024 * 1024
LARGE_BODY = 9 * MIB // 2
CONTROL = "/__standin"

EVENTS_ONLY = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
    "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
)
V4_ONLY = (
    "The {} API is only available in a Langfuse v4 write mode. Learn more at: https://langfuse.com/docs/v4"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request with its whole body."""

    standin: LangfuseStandIn
    project: ProjectData
    request: web.Request
    body: bytes

    @property
    def settings(self) -> Settings:
        """How the stand-in behaves."""
        return self.standin.settings

    @property
    def query(self) -> MultiMapping[str]:
        """The query parameters."""
        return self.request.query

    def path(self, name: str) -> str:
        """A decoded part of the path."""
        return self.request.match_info[name]

    def json(self) -> Json:
        """The decoded body; raises `Refused` when it is not JSON."""
        return read_json(self.body)


Handler = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint.

    Attributes:
        method: HTTP method.
        path: aiohttp path pattern below ``/api/public``.
        handler: Answers an authenticated call.
        resource: The rate limit that counts it.
        legacy_read: Gone in events_only mode (404 before authentication).
        v4_read: Name in the 404 of servers without the v4 tables.
        scores_only: May be called with the public key as a Bearer token.
        body_limit: Bytes before 413; None for no limit.
        limit_text: How the 413 names the limit.
        raw_body: Hand over the body without inflating it.
    """

    method: str
    path: str
    handler: Handler
    resource: str = "public-api"
    legacy_read: bool = False
    v4_read: str | None = None
    scores_only: bool = False
    body_limit: int | None = MIB
    limit_text: str = "1mb"
    raw_body: bool = False


class Pipeline:
    """Answers the requests of one stand-in."""

    def __init__(self, standin: LangfuseStandIn) -> None:
        self._standin = standin

    def endpoint(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of a route."""
        name = f"/api/public{route.path}"

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, name, lambda: self._call(request, route))

        return answer

    def health(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of the public health endpoint."""

        async def respond() -> Outcome:
            body = {"status": "OK", "version": self._standin.settings.version}
            return Outcome(json_response(body), None, 0)

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, "/api/public/health", respond)

        return answer

    async def nowhere(self, request: web.Request) -> web.StreamResponse:
        """Answers paths and methods that do not exist."""

        async def respond() -> Outcome:
            methods = self._standin.methods_of(request)
            if methods:
                body = {"message": "Method not allowed", "error": f"Method {request.method} not allowed"}
                return Outcome(json_response(body, 405), None, 0)
            page = web.Response(status=404, text=NOT_FOUND_PAGE, content_type="text/html")
            return Outcome(page, None, 0)

        return await self._answer(request, "(unknown)", respond)

    async def _answer(
        self, request: web.Request, name: str, respond: Callable[[], Awaitable[Outcome]]
    ) -> web.StreamResponse:
        standin = self._standin
        struck = standin.faults.strike(request.method, request.path)
        if standin.is_down(request):
            struck = (CUT, Fault())
        if struck is not None and struck[0] != LOST:
            await request.read()
            response = await self._fail(request, *struck)
            standin.log.add(request, name, 0 if response is None else response.status, None, 0)
            return response or web.Response()
        if standin.answer_delay:
            await asyncio.sleep(standin.answer_delay)
        await standin.answering.wait()
        outcome = await respond()
        lost = struck is not None
        keys = outcome.project
        status = 0 if lost else outcome.response.status
        standin.log.add(request, name, status, keys.id if keys else None, outcome.size)
        if lost:
            abort(request)
        if standin.tells_time:
            outcome.response.headers["Date"] = http_date(standin.date())
        return outcome.response

    async def _fail(self, request: web.Request, kind: str, fault: Fault) -> web.Response | None:
        if kind == TIMEOUT:
            await self._standin.closing_within(fault.hold)
        if kind in (CUT, TIMEOUT):
            abort(request)
            return None
        headers = {}
        if kind in ("429", "503") and fault.retry_after is not None:
            headers["Retry-After"] = f"{fault.retry_after:g}"
        return web.json_response({"message": "Fault by switch"}, status=int(kind), headers=headers)

    async def _call(self, request: web.Request, route: Route) -> Outcome:
        standin = self._standin
        mode = standin.settings.mode
        if route.legacy_read and mode == "events_only":
            return Outcome(json_response({"message": EVENTS_ONLY}, 404), None, 0)
        keys: ProjectKeys | None = None
        body = b""
        try:
            keys = standin.auth.project(request.headers.get("Authorization"), scores_only=route.scores_only)
            if (limited := standin.rates.take(route.resource)) is not None:
                await request.read()
                return Outcome(limited, keys, 0)
            if route.v4_read and mode == "legacy":
                message = V4_ONLY.format(route.v4_read)
                raise Refused(404, {"message": message, "error": "LangfuseNotFoundError"})
            body = await request.read()
            if not route.raw_body:
                body = inflate(body, request.headers.get("Content-Encoding"))
                if route.body_limit is not None and len(body) > route.body_limit:
                    raise Refused(413, None, text=f"Body exceeded {route.limit_text} limit")
            call = Call(standin, standin.projects[keys.id], request, body)
            return Outcome(await route.handler(call), keys, len(body))
        except Refused as refusal:
            return Outcome(refusal.response(), keys, len(body))


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, with what the log wants to know about its request."""

    response: web.Response
    project: ProjectKeys | None
    size: int


def abort(request: web.Request) -> None:
    """Cut the connection without a word."""
    transport: Any = request.transport
    if transport is not None:
        transport.abort()
