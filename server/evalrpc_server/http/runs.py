"""Routes about runs: how one goes, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.http.guard import RefusedError, TokenGuard
from evalrpc_server.http.listener import json_error

RunDocument = Callable[[str], Awaitable[JsonValue]]
"""Returns a run by id as JSON: an `Experiment` in the contract's own way of writing; raises NotFoundError."""

RunReport = Callable[[str, int], Awaitable[str]]
"""Returns, as JSON text, what the page shows of a run, with the results behind an event; raises NotFoundError."""

_LARGEST_SEQUENCE = 2**31 - 1


class Page(Struct, frozen=True):
    """A page that asks for its data itself, and holds none.

    Attributes:
        body: HTML in UTF-8.
        policy: its content security policy.
    """

    body: bytes
    policy: str


def run_routes(
    document: RunDocument, report: RunReport, page: Page, guard: TokenGuard
) -> Sequence[web.RouteDef]:
    """Returns `GET /runs/{id}` and `GET /runs/{id}/report`.

    Args:
        document: returns a run as JSON, which is what is sent unless the caller prefers HTML.
        report: returns what the page asks for.
        page: the same for every run and every caller. A browser cannot send a token with a link that is followed, so that
            the page is open to all, says nothing of any run, and asks its reader for the token.
        guard: decides who may see data.
    """

    async def run(request: web.Request) -> web.Response:
        if _prefers_html(request.headers.get("accept", "")):
            return _page(page)
        experiment_id = request.match_info["id"]
        return await _guarded(request, guard, lambda: _json(document(experiment_id)))

    async def run_report(request: web.Request) -> web.Response:
        experiment_id, after = request.match_info["id"], request.query.get("after", "") or "0"
        if not (
            after.isdecimal() and after.isascii() and len(after) <= 10 and int(after) <= _LARGEST_SEQUENCE
        ):
            return json_error(400, "after must be the cursor of an earlier answer, or empty")
        return await _guarded(request, guard, lambda: _text(report(experiment_id, int(after))))

    return [web.get("/runs/{id}", run), web.get("/runs/{id}/report", run_report)]


async def _guarded(
    request: web.Request, guard: TokenGuard, answer: Callable[[], Awaitable[web.Response]]
) -> web.Response:
    try:
        guard.check(request)
        response = await answer()
    except RefusedError as error:
        return error.response
    except NotFoundError as error:
        return json_error(404, error.message, reason=error.reason)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    return response


async def _json(document: Awaitable[JsonValue]) -> web.Response:
    return web.json_response(await document)


async def _text(text: Awaitable[str]) -> web.Response:
    return web.Response(text=await text, content_type="application/json")


def _page(page: Page) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": page.policy,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=page.body, content_type="text/html", charset="utf-8", headers=headers)


def _prefers_html(accept: str) -> bool:
    """Tells whether an `Accept` header names HTML before JSON or anything."""
    for part in accept.lower().split(","):
        media = part.partition(";")[0].strip()
        if media == "text/html":
            return True
        if media in {"application/json", "*/*"}:
            return False
    return False
