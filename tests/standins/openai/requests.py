"""What the API takes; anything else is a 400 that names the parameter."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.standins.openai.faults import error

_SHARED = {
    "metadata", "model", "parallel_tool_calls", "safety_identifier", "service_tier", "store", "stream", "temperature",
    "tool_choice", "tools", "top_p", "user",
}  # fmt: skip
CHAT = _SHARED | {
    "frequency_penalty", "logit_bias", "max_completion_tokens", "max_tokens", "messages", "n", "presence_penalty",
    "reasoning_effort", "response_format", "seed", "stop", "stream_options",
}  # fmt: skip
RESPONSES = _SHARED | {
    "background", "conversation", "include", "input", "instructions", "max_output_tokens", "previous_response_id",
    "reasoning", "text", "truncation",
}  # fmt: skip
ROLES = {"system", "developer", "user", "assistant", "tool"}


def refused(body: Any, known: set[str], models: set[str]) -> web.Response | None:
    """The answer to a request that is wrong, or None."""
    if not isinstance(body, dict):
        return error(400, "We could not parse the JSON body of your request.")
    if unknown := sorted(set(body) - known):
        return error(400, f"Unrecognized request argument supplied: {unknown[0]}", param=unknown[0])
    model = body.get("model")
    if not isinstance(model, str):
        return error(400, "you must provide a model parameter")
    if model not in models:
        return error(404, f"The model `{model}` does not exist.", code="model_not_found")
    if not 0 <= body.get("temperature", 1) <= 2:
        return error(400, "Invalid 'temperature'", param="temperature", code="decimal_above_max_value")
    if model.startswith("o"):
        for name in {"temperature", "max_tokens"} & set(body):
            return error(400, f"Unsupported parameter: '{name}'", param=name, code="unsupported_parameter")
    return (
        _messages(body["messages"]) if "messages" in known and "messages" in body else _missing(body, known)
    )


def _missing(body: dict[str, Any], known: set[str]) -> web.Response | None:
    name = "messages" if "messages" in known else "input"
    if name in body and (isinstance(body[name], str) or body[name]):
        return _messages(body[name]) if isinstance(body[name], list) else None
    return error(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _messages(messages: Any) -> web.Response | None:
    if not isinstance(messages, list) or not messages:
        return error(400, "[] is too short - 'messages'", param="messages")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message.get("role") not in ROLES:
            return error(400, f"Invalid value: '{message.get('role')}'.", param=f"{where}.role")
        if not isinstance(message.get("content"), str | list) and "tool_calls" not in message:
            return error(400, "Invalid type for content", param=f"{where}.content")
    return None


def prompt(messages: Any) -> str:
    """The text of the last message."""
    if isinstance(messages, str):
        return messages
    content = messages[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
