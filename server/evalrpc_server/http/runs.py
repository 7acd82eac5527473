"""Routes about runs: how one goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.http.guard import RefusedError, TokenGuard
from evalrpc_server.http.listener import json_error

RunDocument = Callable[[str], Awaitable[JsonValue]]
"""Returns a run by id as JSON: an `Experiment` in the contract's own way of writing; raises NotFoundError."""

RunPage = Callable[[str], Awaitable[web.Response]]
"""Returns another representation of a run by id; raises NotFoundError."""


def run_routes(
    document: RunDocument, guard: TokenGuard, *, pages: Mapping[str, RunPage] | None = None
) -> Sequence[web.RouteDef]:
    """Returns `GET /runs/{id}`.

    Args:
        document: returns a run as JSON, which is what is sent unless the caller prefers a page.
        guard: decides who may ask.
        pages: other representations by media type, sent to callers whose `Accept` names them before JSON.
    """
    others = pages or {}

    async def run(request: web.Request) -> web.Response:
        experiment_id = request.match_info["id"]
        try:
            guard.check(request)
            preferred = _preferred(request.headers.get("accept", ""), others)
            if preferred is not None:
                return await others[preferred](experiment_id)
            return web.json_response(await document(experiment_id))
        except RefusedError as error:
            return error.response
        except NotFoundError as error:
            return json_error(404, error.message, reason=error.reason)

    return [web.get("/runs/{id}", run)]


def _preferred(accept: str, others: Mapping[str, RunPage]) -> str | None:
    """Returns the first media type of an `Accept` header that there is; None for JSON."""
    for part in accept.lower().split(","):
        media = part.partition(";")[0].strip()
        if media in others:
            return media
        if media in {"application/json", "*/*"}:
            return None
    return None
