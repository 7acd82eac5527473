"""Routes about the server itself: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from evalrpc_server.telemetry.prometheus import CONTENT_TYPE

Probe = Callable[[], bool]
"""Tells, without waiting, whether one part of the server is ready."""


def status_routes(probes: Mapping[str, Probe], metrics: Callable[[], str]) -> Sequence[web.RouteDef]:
    """Returns `GET /healthz`, `/readyz` and `/metrics`.

    Args:
        probes: by the name of the part, as `/readyz` shows it; ready means that all are.
        metrics: returns the metrics as Prometheus text.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        parts = {name: probe() for name, probe in probes.items()}
        ready = all(parts.values())
        body = {"status": "ready" if ready else "not ready", "parts": parts}
        return web.json_response(body, status=200 if ready else 503)

    async def metrics_text(_request: web.Request) -> web.Response:
        return web.Response(body=metrics().encode(), headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics_text),
    ]
