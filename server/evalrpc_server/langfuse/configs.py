"""Score configs: checked before sending, because Langfuse takes a score that breaks its config and drops it in silence."""

from __future__ import annotations

from typing import Any

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.projects import path_segment

_MAX_KNOWN = 1000


class ScoreConfigs:
    """A project's score configs, each fetched when a score first names it."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api
        self._known: dict[str, dict[str, JsonValue] | None] = {}

    async def problem(self, body: bytes) -> str | None:
        """Returns why a score does not fit the config that it names; None where it fits, or where that cannot be told now.

        Args:
            body: the score as it would be sent.
        """
        score = msgspec.json.decode(body)
        identity = str(score.get("configId", ""))
        if not identity:
            return None
        try:
            config = await self._config(identity)
        except ApiError:
            return None
        problem = f"there is no score config {identity}" if config is None else _mismatch(score, config)
        return f"The score was not sent: {problem}" if problem else None

    async def _config(self, identity: str) -> dict[str, JsonValue] | None:
        if identity not in self._known:
            answer = await self._api.retried(
                "GET", f"/api/public/score-configs/{path_segment(identity)}", attempts=2, expected={404}
            )
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[identity] = answer.json() if answer.status != 404 else None
        return self._known[identity]


def _mismatch(score: dict[str, Any], config: dict[str, Any]) -> str | None:
    name, kind, value = config.get("name"), config.get("dataType"), score["value"]
    if config.get("isArchived"):
        return f"its config {name!r} is archived"
    if score["name"] != name:
        return f"its name must be that of its config, {name!r}"
    if score["dataType"] != kind:
        return f"its config {name!r} wants {kind}, and it is {score['dataType']}"
    if kind == "CATEGORICAL":
        labels = [category.get("label") for category in config.get("categories") or ()]
        return None if not labels or value in labels else f"its config {name!r} has no category {value!r}"
    low, high = config.get("minValue"), config.get("maxValue")
    if (low is not None and value < low) or (high is not None and value > high):
        return f"its config {name!r} wants a value from {low} to {high}, and it is {value}"
    return None
