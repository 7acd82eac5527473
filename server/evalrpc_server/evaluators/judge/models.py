"""A model behind an OpenAI-compatible API, asked for structured output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from evalrpc_server.domain.spec.judges import JudgeModel
from evalrpc_server.evaluators.judge.accounts import Account
from evalrpc_server.evaluators.judge.forms import Form
from evalrpc_server.evaluators.judge.questions import Message
from evalrpc_server.evaluators.model_calls import model_endpoint, patiently
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets import chat_completions, vendors
from evalrpc_server.targets.json_paths import at, text_at
from evalrpc_server.targets.vendors import Answer

_FORMATS = ("json_schema", "json_object", "")
_FORMAT_WORDS = (b"response_format", b"json_schema", b"json_object", b"structured output")


class Reply(Struct, frozen=True):
    """What a model wrote; `cut_off` tells that it ran into its limit of tokens."""

    text: str
    cut_off: bool


class ChatModel:
    """Asks one model. An endpoint that knows no JSON Schema is asked for any JSON from then on, or for text."""

    def __init__(self, spec: JudgeModel, outbound: Outbound) -> None:
        self.spec = spec
        self._endpoint = model_endpoint(
            outbound, spec.base_url, "/chat/completions", api_key=spec.api_key, headers=spec.headers
        )
        self._format = 0

    async def ask(self, messages: Sequence[Message], form: Form, account: Account) -> Reply:
        """Returns what the model writes.

        Raises:
            EvaluatorError: it wrote nothing: it cannot be reached, refuses, or answers in no shape that is known.
        """

        async def attempt() -> Reply:
            return self._read(await self._call(messages, form), account)

        return await patiently(attempt)

    async def _call(self, messages: Sequence[Message], form: Form) -> Answer:
        while True:
            asked = self._format
            answer = await vendors.ask(self._endpoint, self._body(messages, form, _FORMATS[asked]))
            if answer.ok or not _FORMATS[asked] or not _format_unknown(answer):
                return answer
            self._format = max(self._format, asked + 1)

    def _body(self, messages: Sequence[Message], form: Form, kind: str) -> bytes:
        body: dict[str, Any] = {**self.spec.parameters, "model": self.spec.model, "messages": messages}
        if kind == "json_schema":
            schema = {"name": form.name, "strict": True, "schema": form.schema}
            body["response_format"] = {"type": kind, "json_schema": schema}
        elif kind:
            body["response_format"] = {"type": kind}
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

    def _read(self, answer: Answer, account: Account) -> Reply:
        if answer.ok and at(answer.value, "choices") is not None:
            account.add(self.spec, chat_completions.usage_of(answer))
        chat_completions.raise_for_error(answer)
        message = chat_completions.message_of(answer)
        # Models that think may leave the content empty and put all they write beside it.
        text = chat_completions.content_of(message) or text_at(message, "reasoning_content")
        return Reply(text, text_at(answer.value, "choices", 0, "finish_reason") == "length")


def _format_unknown(answer: Answer) -> bool:
    """Tells whether an endpoint refuses a call for the format of answer that it asks for."""
    body = answer.body[:10_000].lower()
    return answer.status in {400, 404, 415, 422, 501} and any(word in body for word in _FORMAT_WORDS)
