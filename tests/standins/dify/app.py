"""The stand-in as one object: start, address, keys, and what it received."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.dify.requests import MODES, error, refused, trace_id
from tests.standins.dify.turns import Turn, blocking
from tests.standins.served import EventWriter, Served, command


@dataclass
class DifyStandIn(Served):
    """A Dify server whose applications answer `Echo: <query>`, or what `answers` says.

    Attributes:
        prefix: a path before `/v1`, as a reverse proxy has it.
        keys: the key of each application, by mode.
        trace_ids: which traces the calls joined.
        namings: how often a model was asked to name a conversation.
        throttle: how many calls are still to be refused with 429.
    """

    prefix: str = ""
    keys: dict[str, str] = field(
        default_factory=lambda: {
            mode: f"app-{mode.replace('-', '')}0123456789abcdef"
            for mode in ("chat", "agent-chat", "advanced-chat", "completion", "workflow")
        }
    )
    answers: dict[str, str] = field(default_factory=dict)
    trace_ids: list[str] = field(default_factory=list)
    namings: int = 0
    throttle: int = 0

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"{self.url}{self.prefix}/v1"

    def routes(self) -> list[web.RouteDef]:
        version = web.post(f"{self.prefix}/v1/workflows/{{version}}/run", self._call)
        return [*(web.post(f"{self.prefix}/v1/{call}", self._call) for call in MODES), version]

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        return error(404, "not_found", "The requested URL was not found on the server.")

    async def _call(self, request: web.Request) -> web.StreamResponse:
        mode = self._mode(request)
        if mode is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="api"'}
            body = {"code": "unauthorized", "message": "Access token is invalid", "status": 401}
            return web.json_response(body, status=401, headers=challenge)
        body = self.requests[-1].body
        call = request.path.removeprefix(f"{self.prefix}/v1/")
        if "version" in request.match_info:
            call = "workflows/run"
        if (refusal := refused(call, mode, body)) is not None:
            return refusal
        if self.throttle > 0:
            self.throttle -= 1
            return error(429, "too_many_requests", "Too many requests. Please try again later.")
        self.trace_ids.append(trace_id(request, body))
        if call == "chat-messages" and body.get("auto_generate_name", True):
            self.namings += 1
        return await self._answer(request, mode, body)

    def _mode(self, request: web.Request) -> str | None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return next((mode for mode, known in self.keys.items() if known == key), None)

    async def _answer(self, request: web.Request, mode: str, body: dict[str, Any]) -> web.StreamResponse:
        query = body.get("query") or body["inputs"].get("query", "")
        name, _ = command(query)
        match name:
            case "model-broke":
                return error(400, "completion_request_error", "[openai] Rate Limit Error, HTTP 429")
            case "no-quota":
                return error(400, "provider_quota_exceeded", "Your quota has been exhausted.")
        identifiers = {
            "task_id": "task1",
            "message_id": str(uuid.uuid4()),
            "conversation_id": str(uuid.uuid4()),
        }
        turn = Turn(mode, query, identifiers, self.answers.get(query, f"Echo: {query}"))
        if body.get("response_mode") == "streaming":
            return await _stream(request, turn)
        answer = blocking(turn)
        return web.json_response(
            answer, status=answer.get("status", 200) if answer.get("event") == "error" else 200
        )


async def _stream(request: web.Request, turn: Turn) -> web.StreamResponse:
    async with EventWriter(request) as events:
        await events.raw("event: ping")
        for event in turn.events():
            await events.send(event)
            await events.raw("event: ping")
    return events.response
