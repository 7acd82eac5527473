"""RAGFlow's envelope: nearly everything is HTTP 200, and `code` says what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.standins.ragflow.app import RagflowStandIn


class FailedError(Exception):
    """A request that is answered with a code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def ok(data: Any) -> web.Response:
    """A success."""
    return web.json_response({"code": 0, "data": data})


def failed(error: FailedError) -> web.Response:
    """A failure with HTTP status 200."""
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    return web.json_response(body | ({"data": None} if error.code == 100 else {}))


def not_found(path: str) -> web.Response:
    """What an unknown route answers."""
    body = {"code": 404, "message": f"Not Found: {path}", "data": None, "error": "Not Found"}
    return web.json_response(body, status=404)


def unauthorized(standin: RagflowStandIn, request: web.Request) -> web.Response | None:
    """The answer to a wrong key, which up to 0.25 is HTTP 200, and code 0 where the header is missing or malformed."""
    given = request.headers.get("Authorization", "")
    if given == f"Bearer {standin.key}":
        return None
    if standin.current:
        body = {"code": 401, "message": "<Unauthorized '401: Unauthorized'>", "data": None}
        return web.json_response(body, status=401)
    if not given:
        return web.json_response({"code": 0, "message": "`Authorization` can't be empty", "data": False})
    if len(given.split()) != 2:
        return web.json_response(
            {"code": 0, "message": "Please check your authorization format.", "data": False}
        )
    message = "Authentication error: API key is invalid!"
    return web.json_response({"code": 109, "message": message, "data": False})
