"""What the API takes; anything else is an error with a code."""

from __future__ import annotations

import re
import uuid
from typing import Any

from aiohttp import web

TRACE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
MODES = {
    "chat-messages": {"chat", "agent-chat", "advanced-chat"},
    "completion-messages": {"completion"},
    "workflows/run": {"workflow"},
}


def error(status: int, code: str, message: str, **more: str) -> web.Response:
    """An error as Dify writes it."""
    return web.json_response({"code": code, "message": message, "status": status, **more}, status=status)


def refused(call: str, mode: str, body: Any) -> web.Response | None:
    """The answer to a request that is wrong, or None."""
    if mode not in MODES[call]:
        code = {"workflows/run": "not_workflow_app", "completion-messages": "app_unavailable"}
        return error(
            400, code.get(call, "not_chat_app"), "Please check if your app mode matches the right API route."
        )
    if not isinstance(body, dict):
        return error(
            400, "bad_request", "The browser (or proxy) sent a request that could not be understood."
        )
    if not isinstance(body.get("inputs"), dict):
        return _missing("inputs")
    if call == "chat-messages" and not isinstance(body.get("query"), str):
        return _missing("query")
    if not isinstance(body.get("user"), str) or not body["user"]:
        return error(400, "invalid_param", "Arg user must be provided.")
    if body.get("response_mode", "blocking") not in {"blocking", "streaming"}:
        return error(
            400, "invalid_param", "response_mode must be blocking or streaming", params="response_mode"
        )
    if conversation := body.get("conversation_id"):
        try:
            uuid.UUID(conversation)
        except ValueError:
            return error(400, "invalid_param", "conversation_id is not a valid uuid")
        return error(404, "not_found", "Conversation Not Exists.")
    if mode == "agent-chat" and body.get("response_mode") != "streaming":
        return error(400, "invalid_param", "Agent Chat App does not support blocking mode")
    return None


def _missing(name: str) -> web.Response:
    message = "Missing required parameter in the JSON body"
    return error(400, "invalid_param", message, params=name)


def trace_id(request: web.Request, body: dict[str, Any]) -> str:
    """The trace that the caller asks to join; empty for none."""
    given = request.headers.get("X-Trace-Id") or request.query.get("trace_id") or body.get("trace_id") or ""
    return given if TRACE_ID.fullmatch(given) else ""
