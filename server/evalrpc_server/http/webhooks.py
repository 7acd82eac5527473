"""Routes of webhooks: Langfuse's, and those of PowerRAG's Bridge."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from aiohttp import web

from evalrpc_server import __version__
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    RequestError,
    UnavailableError,
)
from evalrpc_server.http.guard import RefusedError, WebhookGuard
from evalrpc_server.http.listener import json_error
from evalrpc_server.triggers.trigger import Trigger, Triggered

logger = logging.getLogger(__name__)


def webhook_routes(trigger: Trigger, guard: WebhookGuard, clock: Clock) -> Sequence[web.RouteDef]:
    """Returns `POST /webhooks/langfuse`, also with the name of a definition behind it, and the routes of PowerRAG's Bridge.

    A webhook is answered with 202 as soon as its experiment is stored, before Langfuse is asked for the dataset.
    """

    async def langfuse(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            signature = guard.check(request, body)
            triggered = await trigger.start(
                body, definition=request.match_info.get("definition", ""), signature=signature
            )
        except RefusedError as error:
            return _refused(request, error.response, str(error))
        except RequestError as error:
            return _refused(request, _answer(error), error.message)
        return _started(triggered)

    async def health(_request: web.Request) -> web.Response:
        time = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return web.json_response({"status": "healthy", "timestamp": time, "version": __version__})

    return [
        web.post("/webhooks/langfuse", langfuse),
        web.post("/webhooks/langfuse/{definition}", langfuse),
        web.post("/webhook/dataset/process-items", langfuse),
        web.get("/webhook/health", health),
    ]


def _started(triggered: Triggered) -> web.Response:
    experiment = triggered.experiment
    dataset = experiment.spec.langfuse_dataset
    url = f"/runs/{experiment.id}"
    body = {
        "id": experiment.id,
        "name": experiment.spec.name,
        "run_name": experiment.spec.run_name,
        "dataset": dataset.name if dataset else "",
        "url": url,
        "repeated": triggered.repeated,
        "ignored": list(triggered.ignored),
    }
    return web.json_response(body, status=202, headers={"Location": url})


def _answer(error: RequestError) -> web.Response:
    if isinstance(error, UnavailableError):
        response = json_error(503, error.message, reason=error.reason)
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
        return response
    if isinstance(error, NotFoundError):
        return json_error(404, error.message, reason=error.reason)
    violations = error.violations if isinstance(error, InvalidRequestError) else ()
    body = {
        "status": 422,
        "message": error.message,
        "reason": error.reason,
        "violations": [{"path": each.path, "description": each.description} for each in violations],
    }
    return web.json_response({"error": body}, status=422)


def _refused(request: web.Request, response: web.Response, problem: str) -> web.Response:
    logger.warning(
        "refused a webhook",
        extra={"http_path": request.path[:256], "http_status": response.status, "problem": problem},
    )
    return response
