"""The stand-in as one object: start, address, key, sessions, and what it received."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.standins.ragflow import agents, assistants, compatible
from tests.standins.ragflow.envelope import FailedError, failed, not_found, ok, unauthorized
from tests.standins.ragflow.turns import PROLOGUE
from tests.standins.served import Served

Generation = Literal["0.21", "0.24", "0.26"]
_Reply = Callable[["RagflowStandIn", dict[str, Any], web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Session:
    """A conversation; `owner` is the assistant or agent."""

    owner: str
    messages: list[str]
    user_id: str = ""


@dataclass
class RagflowStandIn(Served):
    """A RAGFlow server with one assistant and one agent, both answering `Echo: <question>` or what `answers` says.

    Attributes:
        sessions: the conversations that exist, by id; one that a production user has stands there from the start.
        required: prompt variables that the assistant insists on.
        quote: whether the assistant shows quotes.
        waiting: set once an assistant was asked `!wait`, which it answers when `go_on` is set.
    """

    generation: Generation = field(default="0.21", kw_only=True)
    key: str = "ragflow-0123456789abcdef0123456789abcdef"
    chat_id: str = "0123456789abcdef0123456789abcdef"
    agent_id: str = "fedcba9876543210fedcba9876543210"
    answers: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    quote: bool = True
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.sessions["of-a-user"] = Session(self.chat_id, ["What is our holiday policy?"])
        self.sessions["of-an-agents-user"] = Session(self.agent_id, ["hello"])

    @property
    def current(self) -> bool:
        """Whether it is of the generation that moved routes and answers 401."""
        return self.generation == "0.26"

    @property
    def cumulative(self) -> bool:
        """Whether each event of a stream repeats the text so far."""
        return self.generation == "0.21"

    @property
    def marks(self) -> str:
        """How citations are marked."""
        return " ##{n}$$" if self.generation == "0.21" and self.key.endswith("old") else "[ID:{n}]"

    def routes(self) -> list[web.RouteDef]:
        shared = [
            web.post("/api/v1/chats/{owner}/sessions", self._as(_create_session)),
            web.delete("/api/v1/chats/{owner}/sessions", self._as(_delete_sessions)),
            web.post("/api/v1/agents/{owner}/sessions", self._as(_create_session)),
            web.delete("/api/v1/agents/{owner}/sessions", self._as(_delete_sessions)),
            web.post("/api/v1/chats/{owner}/completions", self._as(assistants.complete)),
            web.post("/api/v1/agents/{owner}/completions", self._as(agents.complete)),
            web.post("/api/v1/chats_openai/{owner}/chat/completions", self._as(compatible.complete)),
            web.post("/api/v1/agents_openai/{owner}/chat/completions", self._as(compatible.complete)),
        ]
        moved = [
            web.post("/api/v1/chat/completions", self._as(assistants.complete)),
            web.post("/api/v1/agents/chat/completions", self._as(agents.complete)),
            web.post("/api/v1/openai/{owner}/chat/completions", self._as(compatible.complete)),
        ]
        return shared + (moved if self.current else [])

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        return not_found(request.path)

    def new_session(self, owner: str, user_id: str = "") -> str:
        """Begins a conversation."""
        name = uuid.uuid4().hex
        self.sessions[name] = Session(owner, [PROLOGUE], user_id)
        return name

    def _as(self, reply: _Reply) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if (refusal := unauthorized(self, request)) is not None:
                return refusal
            try:
                body = json.loads(await request.read() or b"{}")
                _refuse_repetition(body, request)
                return await reply(self, body, request)
            except FailedError as error:
                return failed(error)

        return handle


def _refuse_repetition(body: dict[str, Any], request: web.Request) -> None:
    """Breaks calls whose body repeats what their path says: both become the same argument of a function."""
    for name in {"chat_id", "agent_id"} & set(body):
        if "owner" in request.match_info:
            raise FailedError(100, f"TypeError(\"completion() got multiple values for argument '{name}'\")")


async def _create_session(
    standin: RagflowStandIn, body: dict[str, Any], request: web.Request
) -> web.Response:
    owner = request.match_info["owner"]
    assistant = owner == standin.chat_id
    if not assistant and owner != standin.agent_id:
        raise FailedError(102, f"You don't own the assistant {owner}.")
    if assistant and not str(body.get("name", "New session")).strip():
        raise FailedError(102, "`name` can not be empty.")
    name = standin.new_session(owner, body.get("user_id", ""))
    described = {
        "id": name,
        "name": body.get("name"),
        "messages": [{"role": "assistant", "content": PROLOGUE}],
    }
    return ok(described | ({"chat_id": owner} if assistant else {"agent_id": owner}))


async def _delete_sessions(
    standin: RagflowStandIn, body: dict[str, Any], request: web.Request
) -> web.Response:
    """Deletes sessions; up to 0.25 every session of the owner where the request names none."""
    owner = request.match_info["owner"]
    ids = body.get("ids")
    if not ids:
        if standin.current and not body.get("delete_all"):
            return ok(None)
        ids = [name for name, session in standin.sessions.items() if session.owner == owner]
    for name in ids:
        session = standin.sessions.get(name)
        if session is None or session.owner != owner:
            raise FailedError(102, f"The chat doesn't own the session {name}")
        del standin.sessions[name]
    return ok(None)
