"""The OpenAI-compatible route: no session, and contexts only where they are asked for in the right place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.standins.ragflow.envelope import FailedError, ok
from tests.standins.ragflow.turns import turn

if TYPE_CHECKING:
    from tests.standins.ragflow.app import RagflowStandIn


async def complete(standin: RagflowStandIn, body: dict[str, Any], request: web.Request) -> web.StreamResponse:
    """Answers the last message of a conversation."""
    owner = request.match_info.get("owner") or body.get("agent_id", "")
    if owner not in {standin.chat_id, standin.agent_id}:
        raise FailedError(102, f"You don't own the chat {owner}")
    messages = body.get("messages") or []
    if not messages or messages[-1].get("role") != "user":
        raise FailedError(102, "The last content of this conversation is not from user.")
    if standin.current and body.get("model") not in {"model", None}:
        raise FailedError(101, f"Model {body['model']} is not found")
    if body.get("stream", not standin.current):
        raise FailedError(100, "NotImplementedError('streams')")
    question = messages[-1]["content"]
    shown = _shown(standin, body)
    answer = turn(question, marks=standin.marks if shown else "", answers=standin.answers)
    message: dict[str, Any] = {"role": "assistant", "content": answer.answer}
    if shown:
        message["reference"] = answer.chunks if owner == standin.chat_id else answer.agent_reference()
    usage = {"prompt_tokens": len(question), "completion_tokens": len(answer.answer)}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage | {"completion_tokens_details": {"reasoning_tokens": 4096}},
    }
    return ok(completion) if answer.fault == "in-an-envelope" else web.json_response(completion)


def _shown(standin: RagflowStandIn, body: dict[str, Any]) -> bool:
    """Where the flag is read: at the top up to 0.22, in `extra_body` since 0.23."""
    flag = body if standin.generation == "0.21" else body.get("extra_body") or {}
    return bool(flag.get("reference"))
