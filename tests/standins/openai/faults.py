"""What goes wrong with a call, by the prompt: `!name argument`. The shapes are those of the API and of its lookalikes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web


def error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """An error as OpenAI writes it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return web.json_response(body, status=status, headers=headers)


QUOTA = "You exceeded your current quota, please check your plan and billing details."
THROTTLED = "Rate limit reached for requests per min. Please try again in 20ms."


class Faults:
    """Answers for prompts that ask for a fault; some strike only as often as the prompt says."""

    def __init__(self) -> None:
        self.struck: Counter[str] = Counter()

    def strike(self, name: str, arguments: list[str]) -> web.Response | None:
        """The faulty answer, or None where the call is to succeed."""
        if arguments and arguments[0].isdigit():
            key = " ".join([name, *arguments])
            self.struck[key] += 1
            if self.struck[key] > int(arguments[0]):
                return None
        return _answer(name)


def _answer(name: str) -> web.Response | None:
    match name:
        case "throttle":
            return _throttled({"retry-after-ms": "20"})
        case "throttle-long":
            return _throttled({"retry-after": "60"})
        case "quota":
            return error(429, QUOTA, kind="insufficient_quota", code="insufficient_quota")
        case "quota-for-a-minute":  # Azure, for limits per minute
            after = {"retry-after": "7"}
            return error(429, QUOTA, kind="insufficient_quota", code="insufficient_quota", headers=after)
        case "filtered-request":  # Azure
            return error(400, "The response was filtered.", code="content_filter", param="prompt")
        case "too-long":
            return error(400, "This model's maximum context length is 8192.", code="context_length_exceeded")
        case "overloaded":
            return error(503, "The engine is currently overloaded.", kind="server_error")
        case "never-again":
            headers = {"x-should-retry": "false"}
            return error(503, "Not today.", kind="server_error", headers=headers)
        case _:
            return _lookalike(name)


def _throttled(headers: dict[str, str]) -> web.Response:
    return error(429, THROTTLED, kind="requests", code="rate_limit_exceeded", headers=headers)


def _lookalike(name: str) -> web.Response | None:
    bodies: dict[str, tuple[int, Any]] = {
        "string-error": (500, {"error": "model runner has unexpectedly stopped"}),
        "detail": (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}),
        "object-error": (400, {"object": "error", "message": "bad request", "code": 40001}),
        "error-in-200": (200, {"error": {"message": "Provider returned error", "code": 502}}),
        "throttled-in-200": (200, {"error": {"message": THROTTLED, "code": "rate_limit_exceeded"}}),
        "refusal-in-200": (200, {"error": {"message": "No such user", "code": 404}}),
        "envelope-in-200": (200, {"code": 102, "message": "You don't own the chat 1"}),
        "no-choices": (200, {"id": "x", "object": "chat.completion", "choices": []}),
    }
    if name not in bodies:
        return None
    status, body = bodies[name]
    return web.json_response(body, status=status)
