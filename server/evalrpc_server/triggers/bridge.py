"""The configuration that PowerRAG's Bridge takes, as a task: the keys `ragflow_*` and `powerrag_*`, `bridge` and `inputs`."""

from __future__ import annotations

from collections.abc import Mapping

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation

RAGFLOW = "ragflow"
DIFY = "dify"

RAGFLOW_KEY = "${secret:RAGFLOW_API_KEY}"
"""The key of a payload that holds none."""

POWERRAG_KEY = "${secret:POWERRAG_API_KEY}"
"""The key of a payload that holds none."""

_BRIDGES = {"ragflow": RAGFLOW, "dify": DIFY, "powerrag": DIFY}
_TEXTS = frozenset(
    {
        "bridge",
        "ragflow_api_key",
        "ragflow_api_url",
        "ragflow_chat_id",
        "ragflow_agent_id",
        "ragflow_session_id",
        "ragflow_user_id",
        "powerrag_api_key",
        "powerrag_api_url",
    }
)
_OBJECTS = frozenset({"ragflow_agent_inputs", "inputs"})

BRIDGE_KEYS = _TEXTS | _OBJECTS
"""What a Bridge configuration may hold."""

DEFAULTS: Mapping[str, JsonValue] = {"max_concurrency": 8, "task_timeout": "300s"}
"""What such a run has unless its payload or definition says otherwise: the Bridge's own bounds."""


def is_bridge(payload: Mapping[str, JsonValue]) -> bool:
    """Whether a payload is a Bridge configuration."""
    return any(key == "bridge" or key.startswith(("ragflow_", "powerrag_")) for key in payload)


def bridge_task(payload: Mapping[str, JsonValue], *, ragflow_url: str, path: str) -> Mapping[str, JsonValue]:
    """Returns the task that a Bridge configuration means, as a member of `Task`.

    `bridge` chooses between the two families of keys; without it an agent's id comes first, then a chat's, then
    `powerrag_api_url`. Keys of the other family are left aside, as in the page that this format comes from.

    Args:
        payload: the configuration.
        ragflow_url: where a RAGFlow server is that the payload does not name.
        path: where the payload stands, for violations.

    Raises:
        InvalidRequestError: something is missing or of the wrong type.
    """
    given = {key: value for key, value in payload.items() if key in BRIDGE_KEYS and value not in (None, "")}
    violations = [
        *(_violation(path, key, "must be a string") for key in sorted(_TEXTS) if not isinstance(given.get(key, ""), str)),
        *(_violation(path, key, "must be an object") for key in sorted(_OBJECTS) if not isinstance(given.get(key, {}), dict)),
    ]  # fmt: skip
    if violations:
        raise InvalidRequestError(violations)
    if _kind(given, path) == RAGFLOW:
        return {RAGFLOW: _ragflow(given, ragflow_url, path)}
    return {DIFY: _dify(given, path)}


def _kind(given: Mapping[str, JsonValue], path: str) -> str:
    if bridge := given.get("bridge"):
        if bridge.lower() not in _BRIDGES:
            raise InvalidRequestError(
                [_violation(path, "bridge", f"must be one of {', '.join(sorted(_BRIDGES))}, or left out")]
            )
        return _BRIDGES[bridge.lower()]
    if "ragflow_agent_id" in given or "ragflow_chat_id" in given:
        return RAGFLOW
    if "powerrag_api_url" in given:
        return DIFY
    problem = "is required: an assistant; or ragflow_agent_id, an agent; or powerrag_api_url, an application"
    raise InvalidRequestError([_violation(path, "ragflow_chat_id", problem)])


def _ragflow(given: Mapping[str, JsonValue], url: str, path: str) -> Mapping[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "url": given.get("ragflow_api_url", url),
        "api_key": given.get("ragflow_api_key", RAGFLOW_KEY),
    }
    if agent := given.get("ragflow_agent_id"):
        fields["agent_id"] = agent
        if inputs := given.get("ragflow_agent_inputs"):
            fields["agent_inputs"] = inputs
    elif chat := given.get("ragflow_chat_id"):
        fields["chat_id"] = chat
    else:
        problem = "is required with bridge ragflow, or ragflow_agent_id"
        raise InvalidRequestError([_violation(path, "ragflow_chat_id", problem)])
    for key in ("session_id", "user_id"):
        if value := given.get(f"ragflow_{key}"):
            fields[key] = value
    return fields


def _dify(given: Mapping[str, JsonValue], path: str) -> Mapping[str, JsonValue]:
    if "powerrag_api_url" not in given:
        raise InvalidRequestError([_violation(path, "powerrag_api_url", "is required with this bridge")])
    return {
        "url": given["powerrag_api_url"],
        "api_key": given.get("powerrag_api_key", POWERRAG_KEY),
        "inputs": given.get("inputs", {}),
    }


def _violation(path: str, key: str, problem: str) -> Violation:
    return Violation(f"{path}.{key}", problem)
