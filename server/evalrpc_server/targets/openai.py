"""A task that is a model behind an OpenAI-compatible API: chat completions or Responses.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from evalrpc_server.domain.documents import Document, InvalidDocumentError, JsonValue, document_from_text
from evalrpc_server.domain.spec.llm_tasks import OpenAiApi, OpenAiMessage, OpenAiTask
from evalrpc_server.domain.templates import JsonTemplate, TemplateError, document_text
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.failures import TASK_REASONS, CallFailedError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets import responses
from evalrpc_server.targets.chat_completions import (
    content_of,
    contexts_of,
    message_of,
    raise_for_error,
    says_throttled,
    usage_of,
)
from evalrpc_server.targets.json_paths import at, entries_at, text_at
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.templates import ItemScope, template_failed
from evalrpc_server.targets.vendors import (
    Answer,
    ask,
    below,
    invalid_answer,
    output_document,
    said_about_itself,
    trace_headers,
    vendor_endpoint,
)

_encode = msgspec.json.Encoder().encode

_PATHS = {OpenAiApi.CHAT_COMPLETIONS: "/chat/completions", OpenAiApi.RESPONSES: "/responses"}


class OpenAiTarget:
    """Asks the model once for each call and reads its answer whole.

    A refusal and a content filter are failures of their own, as is an account without quota; throttling is retried.
    """

    def __init__(self, spec: OpenAiTask, outbound: Outbound) -> None:
        self._api = spec.api
        self._json_output = spec.json_output
        self._endpoint = vendor_endpoint(
            outbound, below(spec.base_url, _PATHS[spec.api]), api_key=spec.api_key, headers=spec.headers
        )
        self._conversation = Conversation(spec.messages)
        self._scope = ItemScope()
        self._head = _encode({"model": spec.model, **spec.parameters})[:-1].decode()

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the model gave no usable output.
        """
        try:
            answer = await ask(
                self._endpoint, self._body(call), headers=trace_headers(call), throttled=says_throttled
            )
        except CallFailedError as failure:
            error = failure.as_error("task", TASK_REASONS)
            raise TaskError(error, retry_after=failure.retry_after) from None
        raise_for_error(answer)
        return self._read_response(answer) if self._api is OpenAiApi.RESPONSES else self._read_chat(answer)

    async def aclose(self) -> None:
        """Does nothing: the connections belong to all targets."""

    def _body(self, call: TaskCall) -> bytes:
        messages = self._conversation.render(self._scope.of(call))
        name = "input" if self._api is OpenAiApi.RESPONSES else "messages"
        return f'{self._head},"{name}":{messages}}}'.encode()

    def _read_chat(self, answer: Answer) -> TaskAnswer:
        message = message_of(answer)
        finish_reason = text_at(answer.value, "choices", 0, "finish_reason")
        return TaskAnswer(
            output=self._output(
                answer.endpoint,
                content_of(message),
                entries_at(message, "tool_calls"),
                cut=finish_reason == "length",
            ),
            contexts=contexts_of(answer),
            usage=usage_of(answer),
            metadata=_metadata(answer, finish_reason=finish_reason),
        )

    def _read_response(self, answer: Answer) -> TaskAnswer:
        cut = responses.was_cut(answer)
        return TaskAnswer(
            output=self._output(
                answer.endpoint, responses.text_of(answer), responses.tool_calls_of(answer), cut=cut
            ),
            contexts=responses.contexts_of(answer),
            usage=responses.usage_of(answer),
            metadata=_metadata(answer, finish_reason="length" if cut else ""),
        )

    def _output(
        self, endpoint: HttpEndpoint, content: str | None, tool_calls: Sequence[JsonValue], *, cut: bool
    ) -> Document:
        if tool_calls:
            return output_document(endpoint, {"content": content, "tool_calls": tool_calls})
        if not self._json_output or content is None:
            return output_document(endpoint, content)
        try:
            return document_from_text(_unfenced(content))
        except InvalidDocumentError as error:
            why = "was cut off at the token limit; raise it in the parameters" if cut else f"{error}"
            raise invalid_answer(endpoint, "output", f"was to be JSON and {why}") from None


class Conversation:
    """The messages that are sent; without any, one message of the user that is the item's input.

    Args:
        messages: templates.
    """

    def __init__(self, messages: Sequence[OpenAiMessage]) -> None:
        self._messages = [(message.role, JsonTemplate(message.content)) for message in messages]

    def render(self, scope: Mapping[str, Document]) -> str:
        """Returns the messages as a JSON list.

        Raises:
            TaskError: a template cannot be filled in.
        """
        if not self._messages:
            return f'[{{"role":"user","content":{_as_content(scope["input"])}}}]'
        return f"[{','.join(self._rendered(number, scope) for number in range(len(self._messages)))}]"

    def _rendered(self, number: int, scope: Mapping[str, Document]) -> str:
        role, content = self._messages[number]
        try:
            return f'{{"role":"{role}","content":{_as_content(content.render(scope))}}}'
        except TemplateError as error:
            raise template_failed(error, f"openai.messages[{number}].content") from None


def _as_content(value: Document) -> str:
    """Returns a value as what a message may hold: a text or content parts as they are, anything else as its JSON text."""
    if value.startswith('"') or (value.startswith("[") and _are_parts(value)):
        return value
    return _encode(document_text(value)).decode()


def _are_parts(value: Document) -> bool:
    try:
        parts = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return False
    return bool(parts) and all(isinstance(at(part, "type"), str) for part in parts)


def _unfenced(text: str) -> str:
    """Returns JSON without the Markdown fence that models like to put around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3].strip()
    return text


def _metadata(answer: Answer, *, finish_reason: str) -> Document | None:
    return said_about_itself(
        id=text_at(answer.value, "id"),
        finish_reason=finish_reason,
        system_fingerprint=text_at(answer.value, "system_fingerprint"),
        request_id=answer.headers.get("x-request-id"),
    )
