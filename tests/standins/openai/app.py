"""The stand-in as one object: start, address, key, and what it received."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.openai.faults import Faults, error
from tests.standins.openai.requests import CHAT, RESPONSES, prompt, refused
from tests.standins.served import Served, command

RATE_HEADERS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "29990",
    "x-ratelimit-reset-tokens": "6m0s",
    "x-request-id": "req_0123456789abcdef",
}


@dataclass
class OpenAiStandIn(Served):
    """An OpenAI API. Its model answers `Echo: <the last message>`, or what `answers` says."""

    key: str = "sk-stand-in-0123456789abcdef"
    models: set[str] = field(default_factory=lambda: {"gpt-stand-in", "o-stand-in"})
    answers: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"{self.url}/v1"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/responses", self._responses),
        ]

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        return error(404, f"Invalid URL ({request.method} {request.path})")

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        refusal = self._unauthorized(request) or refused(body, CHAT, self.models)
        if refusal is not None:
            return refusal
        text = prompt(body["messages"])
        name, arguments = command(text)
        if (fault := self.faults.strike(name, arguments)) is not None:
            return fault
        message, finish_reason = _message(name, self._text(text, body), body)
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        answer: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": f"{body['model']}-2026-01-01",
            "system_fingerprint": "fp_1",
            "choices": [choice],
            "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
        }
        return web.json_response(_with_extras(name, answer), headers=RATE_HEADERS)

    async def _responses(self, request: web.Request) -> web.Response:
        body = await request.json()
        refusal = self._unauthorized(request) or refused(body, RESPONSES, self.models)
        if refusal is not None:
            return refusal
        text = prompt(body["input"])
        name, arguments = command(text)
        if (fault := self.faults.strike(name, arguments)) is not None:
            return fault
        answer: dict[str, Any] = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": f"{body['model']}-2026-01-01",
            "output": _items(name, self._text(text, body), body),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": 11,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 16,
            },
        }
        return web.json_response(answer | _outcome(name), headers=RATE_HEADERS)

    def _unauthorized(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {self.key}":
            return None
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return error(401, f"Incorrect API key provided: {given}.", code="invalid_api_key")

    def _text(self, text: str, body: dict[str, Any]) -> str:
        answer = self.answers.get(text, f"Echo: {text}")
        wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {"type": "text"}
        return json.dumps({"answer": answer}) if wanted["type"] != "text" else answer


def _message(name: str, text: str, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    match name:
        case "refuse":
            return message | {"content": None, "refusal": "I'm sorry, I can't help with that."}, "stop"
        case "filter":
            return message | {"content": ""}, "content_filter"
        case "cut":
            return message | {"content": text[:12]}, "length"
        case "parts":
            return message | {
                "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
            }, "stop"
    if body.get("tools"):
        function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"query": "x"}'}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        return message | {"content": None, "tool_calls": calls}, "tool_calls"
    return message, "stop"


def _with_extras(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Adds what other vendors put beside OpenAI's own members."""
    message = answer["choices"][0]["message"]
    match name:
        case "azure-citations":
            message["context"] = {"citations": [{"content": "from azure", "title": "t", "filepath": "a.md"}]}
        case "quotes":
            quotes = [{"q": "Paris", "a": "is a city", "sourceName": "cities.csv", "id": "7"}]
            answer["responseData"] = [{"quoteList": quotes}, {}]
        case "cost":
            answer["usage"]["cost"] = 0.00125
        case "no-usage":
            del answer["usage"]
    return answer


def _items(name: str, text: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": []}
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    match name:
        case "refuse":
            refusal = {"type": "refusal", "refusal": "I'm sorry, I can't help with that."}
            return [reasoning, message | {"content": [refusal]}]
        case "two-parts":
            return [message | {"content": [part | {"text": "one "}, part | {"text": "two"}]}]
        case "search":
            results = [{"text": "a passage", "score": 0.9, "filename": "a.md", "file_id": "file-1"}]
            shown = "file_search_call.results" in body.get("include", [])
            call = {"id": "fs_1", "type": "file_search_call", "status": "completed", "queries": ["x"]}
            return [call | {"results": results if shown else None}, message]
    if body.get("tools"):
        call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "status": "completed"}
        return [reasoning, call | {"name": body["tools"][0]["name"], "arguments": '{"query": "x"}'}]
    return [reasoning, message]


def _outcome(name: str) -> dict[str, Any]:
    match name:
        case "failed":
            return {
                "status": "failed",
                "error": {"code": "server_error", "message": "It broke."},
                "output": [],
            }
        case "failed-prompt":
            wrong = {"code": "invalid_prompt", "message": "Not like this."}
            return {"status": "failed", "error": wrong, "output": []}
        case "cut":
            return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        case "filter":
            return {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
        case "queued":
            return {"status": "queued", "output": []}
    return {}
