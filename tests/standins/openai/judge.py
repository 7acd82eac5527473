"""An OpenAI API whose model judges as the test says, strict about the form of answer that it is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.openai.app import OpenAiStandIn
from tests.standins.openai.faults import error
from tests.standins.openai.requests import CHAT, refused

Said = str | dict[str, Any] | web.Response
"""What a model says: its text, an answer in JSON, or a whole response."""


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class JudgeStandIn(OpenAiStandIn):
    """Answers what `says` returns for a request's body; a dict with the key `message` replaces parts of the choice.

    While `ready` is cleared it answers nothing.
    """

    models: set[str] = field(default_factory=lambda: {"judge-1", "judge-2", "judge-3"})
    says: Callable[[dict[str, Any]], Said] = field(default=lambda _: {"reasoning": "fine", "score": 0.75})
    ready: asyncio.Event = field(default_factory=_set)
    formats: set[str] = field(default_factory=lambda: {"json_schema", "json_object", "text"})

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.post("/v1/embeddings", self._embed)]

    async def _embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (refusal := self._unauthorized(request)) is not None:
            return refusal
        texts = body["input"]
        if not isinstance(texts, list) or not 0 < len(texts) <= 2048 or not all(texts):
            return error(400, "'$.input' is invalid.", param="input")
        entries = [{"object": "embedding", "index": n, "embedding": _vector(t)} for n, t in enumerate(texts)]
        usage = {"prompt_tokens": 4 * len(texts), "total_tokens": 4 * len(texts)}
        answer = {"object": "list", "data": entries[::-1], "model": body["model"], "usage": usage}
        return web.json_response(answer)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies that it received."""
        return [received.body for received in self.requests]

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        refusal = self._unauthorized(request) or refused(body, CHAT, self.models) or self._wrong_format(body)
        if refusal is not None:
            return refusal
        await self.ready.wait()
        said = self.says(body)
        if isinstance(said, web.Response):
            return said
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
        if isinstance(said, dict) and "message" in said:
            choice |= said
        else:
            choice["message"]["content"] = said if isinstance(said, str) else json.dumps(said)
        return web.json_response(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "model": f"{body['model']}-2026-01-01",
                "choices": [choice],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            }
        )

    def _wrong_format(self, body: dict[str, Any]) -> web.Response | None:
        wanted = body.get("response_format", {"type": "text"})
        if wanted["type"] not in self.formats:
            return error(400, f"This response_format type is unavailable: {wanted['type']}")
        if wanted["type"] == "json_schema":
            given = wanted["json_schema"]
            if (
                given["strict"] is not True
                or not given["name"].isidentifier()
                or not _strict(given["schema"])
            ):
                return error(400, "Invalid schema for response_format", param="response_format")
        return None


def _strict(schema: dict[str, Any]) -> bool:
    """Whether strict structured output takes a schema: every object closed, every member required."""
    if schema["type"] == "array":
        return _strict(schema["items"])
    if schema["type"] != "object":
        return True
    members = schema["properties"]
    closed = schema["additionalProperties"] is False and schema["required"] == list(members)
    return closed and all(_strict(member) for member in members.values())


def _vector(text: str) -> list[float]:
    """How often a text has each vowel."""
    return [float(text.count(vowel)) for vowel in "aeiou"]
