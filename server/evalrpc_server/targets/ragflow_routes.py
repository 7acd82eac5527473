"""Where RAGFlow's calls are: they have moved in 0.26, and an old server does not know the new places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import httpx
import msgspec
from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.spec.llm_tasks import RagflowRoute, RagflowTask
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.targets.ragflow_answers import says_throttled
from evalrpc_server.targets.vendors import Answer, ask

_API = "/api/v1"
_encode = msgspec.json.Encoder().encode


class Place(Struct, frozen=True):
    """Where a call may be had.

    Attributes:
        endpoint: what is called.
        members: of the body, of this place alone: what the others have in their path. Up to 0.25, a body that repeats
            it breaks the call.
    """

    endpoint: HttpEndpoint
    members: Mapping[str, JsonValue]


class Places:
    """The places of one call; the first one that the server knows is used from then on.

    Args:
        places: the preferred one first.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = list(places)

    async def ask(self, body: Mapping[str, JsonValue], *, headers: Sequence[Header]) -> Answer:
        """Calls the server at the first place that it knows.

        Raises:
            CallFailedError: there is no answer, or it is too large.
        """
        first: Answer | None = None
        for place in list(self._places):
            sent = _encode({**place.members, **body})
            answer = await ask(place.endpoint, sent, headers=headers, throttled=says_throttled)
            if answer.status != 404:
                self._places = [place]
                return answer
            first = first or answer
        assert first is not None
        return first


def open_places(spec: RagflowTask, endpoint: Callable[[str], HttpEndpoint]) -> Places:
    """Prepares calls that ask a question."""
    return Places([Place(endpoint(url), _members(spec, url)) for url in completion_urls(spec)])


def completion_urls(spec: RagflowTask) -> list[str]:
    """Returns where the answer to a question may be had: a full URL alone, else the old place and the new one."""
    url = httpx.URL(spec.url)
    if url.path.rstrip("/").endswith("/completions"):
        return [spec.url]
    if spec.route is RagflowRoute.OPENAI:
        paths = (
            [f"/chats_openai/{spec.chat_id}/chat/completions", f"/openai/{spec.chat_id}/chat/completions"]
            if spec.chat_id
            else [f"/agents_openai/{spec.agent_id}/chat/completions", "/agents/chat/completions"]
        )
    elif spec.chat_id:
        paths = [f"/chats/{spec.chat_id}/completions", "/chat/completions"]
    else:
        paths = [f"/agents/{spec.agent_id}/completions", "/agents/chat/completions"]
    return [_join(url, path) for path in paths]


def sessions_url(spec: RagflowTask) -> str:
    """Returns where the sessions of the assistant or the agent are."""
    owner = f"/chats/{spec.chat_id}" if spec.chat_id else f"/agents/{spec.agent_id}"
    return _join(httpx.URL(spec.url), f"{owner}/sessions")


def _members(spec: RagflowTask, url: str) -> Mapping[str, JsonValue]:
    name, identity = ("chat_id", spec.chat_id) if spec.chat_id else ("agent_id", spec.agent_id)
    if identity in httpx.URL(url).path.split("/"):
        return {}
    compatible = {"openai-compatible": True} if spec.route is RagflowRoute.OPENAI else {}
    return {name: identity, **compatible}


def _join(url: httpx.URL, path: str) -> str:
    before, _, _ = url.path.partition(_API)
    return str(url.copy_with(path=before.rstrip("/") + _API + path))
