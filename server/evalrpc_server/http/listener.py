"""The small HTTP listener: health, metrics, and what other modules route here."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from ssl import SSLContext

from aiohttp import web

from evalrpc_server.addresses import ListenError, split_address
from evalrpc_server.logs import bind
from evalrpc_server.runner.faults import log_fault

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest request body."""

MAX_HEADER_BYTES = 16 * 1024
"""The longest request line, and the longest header."""

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that machines ask for all the time; requests of these, and of pages that follow a run, are logged at debug level."""

_MAX_HEADERS = 100
_REQUEST_SECONDS = 30.0
_KEEPALIVE_SECONDS = 60.0


class HttpListener:
    """Serves routes over HTTP on the running event loop.

    Every answer that is an error is JSON, `{"error": {"status", "message"}}`. What a handler raises never reaches the
    caller: it gets 500 and the id under which the error stands in the log.

    Args:
        listen: "host:port"; port 0 for any free one.
        routes: of all modules, each made by a function of its own.
        tls: makes it HTTPS.
        grace: seconds that requests in progress get to end when it stops.
    """

    def __init__(
        self,
        listen: str,
        routes: Iterable[web.AbstractRouteDef],
        *,
        tls: SSLContext | None = None,
        grace: float = 5.0,
    ) -> None:
        self._listen = listen
        self._tls = tls
        app = web.Application(middlewares=[_logged, _failsafe], client_max_size=MAX_BODY_BYTES)
        app.add_routes(routes)
        app.on_response_prepare.append(_anonymize)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=_MAX_HEADERS,
            shutdown_timeout=grace,
        )

    async def start(self) -> str:
        """Listens, and returns the address with the port that it has got.

        Raises:
            ListenError: the address is taken or wrong.
        """
        try:
            host, port = split_address(self._listen)
            await self._runner.setup()
            site = web.TCPSite(self._runner, host, port, ssl_context=self._tls, reuse_port=False)
            await site.start()
        except (OSError, ValueError) as error:
            await self._runner.cleanup()
            raise ListenError(f"cannot listen on {self._listen}: {error}") from error
        bound = self._runner.addresses[0][1]
        return f"{self._listen.rpartition(':')[0]}:{bound}"

    async def aclose(self) -> None:
        """Stops listening, lets requests in progress end, and closes all connections."""
        await self._runner.cleanup()


def json_error(status: int, message: str, **fields: str) -> web.Response:
    """Returns an error as JSON."""
    return web.json_response({"error": {"status": status, "message": message, **fields}}, status=status)


async def _anonymize(_request: web.Request, response: web.StreamResponse) -> None:
    """Replaces the header in which aiohttp tells its own and Python's version."""
    response.headers["Server"] = "evalrpc"


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _logged(request: web.Request, handler: _Handler) -> web.StreamResponse:
    begin = time.perf_counter()
    bind(request_id=f"req_{secrets.token_hex(8)}")
    status = 499  # the caller has gone
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        logger.log(
            logging.DEBUG if request.path in QUIET or request.path.endswith("/report") else logging.INFO,
            "%s %s %d",
            request.method,
            request.path[:256],
            status,
            extra={
                "http_method": request.method,
                "http_path": request.path[:256],
                "http_status": status,
                "duration_ms": round((time.perf_counter() - begin) * 1000, 3),
                "peer": request.remote or "",
            },
        )


@web.middleware
async def _failsafe(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        async with asyncio.timeout(_REQUEST_SECONDS):
            return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = json_error(error.status, _sentence(error, request))
        response.headers.extend({key: error.headers[key] for key in ("Allow",) if key in error.headers})
        return response
    except TimeoutError:
        return json_error(408, f"the request was not complete within {_REQUEST_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001  whatever it is, its text is not for callers
        error_id = log_fault(error, f"{request.method} {request.path[:256]}")
        return json_error(500, f"the server failed; its log tells why under {error_id}", error_id=error_id)


def _sentence(error: web.HTTPException, request: web.Request) -> str:
    match error:
        case web.HTTPNotFound():
            return f"there is nothing at {request.path[:256]}"
        case web.HTTPMethodNotAllowed():
            return f"{request.path[:256]} does not take {request.method[:32]}, only {', '.join(sorted(error.allowed_methods))}"
        case web.HTTPRequestEntityTooLarge():
            return f"the body is larger than {MAX_BODY_BYTES} bytes"
        case _:
            return error.reason
