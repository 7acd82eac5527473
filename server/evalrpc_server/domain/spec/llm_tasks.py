"""Tasks that speak the API of a vendor: OpenAI, Dify, RAGFlow."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Headers, HttpUrl, SpecModel, header_value
from evalrpc_server.domain.spec.templates import check_template

OPENAI_URL = "https://api.openai.com/v1"
"""Where OpenAI's own API is."""

_OWN_PARAMETERS = {
    "model": "it is the field model",
    "messages": "they are the field messages",
    "input": "it is made of the field messages",
    "stream": "answers are read whole",
    "stream_options": "answers are read whole",
    "background": "answers are read whole",
    "n": "an item has one answer; for more, use repetitions",
}
_ROLES = ("system", "developer", "user", "assistant", "tool")


def _key(value: str) -> str:
    try:
        return header_value(value)
    except PydanticCustomError as error:
        raise PydanticCustomError(error.type, "must be fit for a header; it " + error.message()) from None


def _template(value: Any) -> Any:
    check_template(value)
    return value


ApiKey = Annotated[str, AfterValidator(_key)]
"""A key by reference, `${secret:NAME}`, or written out."""

RequiredText = Annotated[str, StringConstraints(min_length=1)]
TextTemplate = Annotated[str, AfterValidator(_template)]
Members = Annotated[dict[str, Any], AfterValidator(_template), Field(default_factory=dict)]
"""The members of a JSON object; a template."""


class OpenAiApi(StrEnum):
    """The calls of an OpenAI-compatible API."""

    CHAT_COMPLETIONS = "OPEN_AI_API_CHAT_COMPLETIONS"
    RESPONSES = "OPEN_AI_API_RESPONSES"


class OpenAiMessage(SpecModel):
    """One message of a conversation; `content` is a string or a list of content parts, and a template."""

    role: str
    content: Annotated[Any, AfterValidator(_template)]

    @field_validator("role")
    @classmethod
    def _known_role(cls, value: str) -> str:
        if value not in _ROLES:
            raise PydanticCustomError("role", f"must be one of {', '.join(_ROLES)}")
        return value

    @field_validator("content")
    @classmethod
    def _text_or_parts(cls, value: object) -> object:
        if not isinstance(value, str | list):
            raise PydanticCustomError("content", "must be a string or a list of content parts")
        return value


class OpenAiTask(SpecModel):
    """A model behind an OpenAI-compatible API."""

    base_url: HttpUrl = OPENAI_URL
    api_key: ApiKey = ""
    model: RequiredText
    api: OpenAiApi = OpenAiApi.CHAT_COMPLETIONS
    messages: tuple[OpenAiMessage, ...] = Field(default=(), max_length=1000)
    parameters: dict[str, Any] = Field(default_factory=dict)
    headers: Headers
    json_output: bool = False

    @field_validator("parameters")
    @classmethod
    def _further(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, reason in _OWN_PARAMETERS.items():
            if name in value:
                raise PydanticCustomError("parameters", f"must not hold {name!r}: {reason}")
        return value


class DifyApp(StrEnum):
    """The kinds of Dify applications."""

    CHAT = "DIFY_APP_CHAT"
    COMPLETION = "DIFY_APP_COMPLETION"
    WORKFLOW = "DIFY_APP_WORKFLOW"


class DifyResponseMode(StrEnum):
    """Dify's ways to answer."""

    STREAMING = "DIFY_RESPONSE_MODE_STREAMING"
    BLOCKING = "DIFY_RESPONSE_MODE_BLOCKING"


_DIFY_CALLS = {
    DifyApp.CHAT: "/chat-messages",
    DifyApp.COMPLETION: "/completion-messages",
    DifyApp.WORKFLOW: "/workflows/run",
}


class DifyTask(SpecModel):
    """A Dify application."""

    url: HttpUrl
    api_key: Annotated[ApiKey, StringConstraints(min_length=1)]
    app: DifyApp | None = None
    query: TextTemplate = ""
    inputs: Members
    user: str = ""
    response_mode: DifyResponseMode = DifyResponseMode.STREAMING
    workflow_id: str = ""
    output_variable: str = ""
    headers: Headers

    @model_validator(mode="after")
    def _one_application(self) -> DifyTask:
        if self.app not in {None, self.application}:
            raise PydanticCustomError(
                "app", "has a url that is the call of another kind of application than app"
            )
        return self

    @property
    def application(self) -> DifyApp:
        """The kind of application: what a full url says, else `app`, else chat."""
        path = urlsplit(self.url).path.rstrip("/")
        named = (app for app, call in _DIFY_CALLS.items() if path.endswith(call))
        return next(named, self.app or DifyApp.CHAT)

    @property
    def call_path(self) -> str:
        """The path of the call below the API's base URL, such as `/chat-messages`."""
        return _DIFY_CALLS[self.application]


class RagflowRoute(StrEnum):
    """RAGFlow's routes."""

    NATIVE = "RAGFLOW_ROUTE_NATIVE"
    OPENAI = "RAGFLOW_ROUTE_OPENAI"


class RagflowTask(SpecModel):
    """A RAGFlow or PowerRAG chat assistant or agent."""

    url: HttpUrl
    api_key: Annotated[ApiKey, StringConstraints(min_length=1)]
    chat_id: str | None = None
    agent_id: str | None = None
    route: RagflowRoute = RagflowRoute.NATIVE
    question: TextTemplate = ""
    agent_inputs: Members
    user_id: str = ""
    session_id: str = ""
    keep_sessions: bool = False
    keep_citations: bool = False
    keep_thinking: bool = False
    headers: Headers

    @model_validator(mode="after")
    def _one_target(self) -> RagflowTask:
        given = [name for name in ("chat_id", "agent_id") if getattr(self, name)]
        if len(given) != 1:
            problem = "both are" if given else "none is"
            raise PydanticCustomError("one_of", f"must set exactly one of chat_id, agent_id; {problem} set")
        if self.agent_inputs and self.chat_id:
            raise PydanticCustomError("agent_inputs", "has agent_inputs, which only an agent takes")
        if self.route is RagflowRoute.OPENAI and (self.session_id or self.agent_inputs or self.user_id):
            raise PydanticCustomError(
                "route",
                "has a session_id, user_id or agent_inputs, which the OpenAI-compatible route does not take",
            )
        return self
