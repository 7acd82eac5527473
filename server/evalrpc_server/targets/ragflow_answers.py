"""Reading what RAGFlow answers: an envelope with status 200 around nearly everything, failures included.

https://ragflow.io/docs/dev/http_api_reference
"""

from __future__ import annotations

import re

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.patterns import strip_matches
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.targets.chat_completions import content_of
from evalrpc_server.targets.json_paths import at, entries_at, text_at
from evalrpc_server.targets.port import TaskError
from evalrpc_server.targets.vendors import (
    Answer,
    ContextShape,
    bad_status,
    failed,
    invalid_answer,
    not_json,
    quoted,
)

_PASSING_CODES = frozenset({"105", "106", "429", "500", "502", "503", "504"})
"""Codes of envelopes that may not come again: connection, running, and statuses mirrored."""

_PASSING_ERRORS = frozenset({"RATE_LIMIT_EXCEEDED", "TIMEOUT", "SERVER_ERROR", "CONNECTION_ERROR"})
_ERRORS = (
    "RATE_LIMIT_EXCEEDED|AUTH_ERROR|INVALID_REQUEST|SERVER_ERROR|TIMEOUT|CONNECTION_ERROR|MODEL_ERROR|CONTENT_FILTERED"
    "|QUOTA_EXCEEDED|MAX_RETRIES_EXCEEDED|GENERIC_ERROR"
)
_ERROR = re.compile(rf"\s*\*\*ERROR\*\*:\s*(?:(?P<code>{_ERRORS})\b)?\s*(?:-\s*)?(?P<said>.*)", re.DOTALL)
_ERROR_LATER = re.compile(rf"\n\*\*ERROR\*\*:\s*(?:{_ERRORS})\b")
_KEY_HINT = "please set llm api-key"
"""What is appended to an answer in which the provider calls the key invalid."""

_CITATIONS = (r"[ \t]*(?:\[ID:\s*\d+(?:\s*,\s*(?:ID:\s*)?\d+)*\]|##\d+\$\$)",)
_THINKING, _THOUGHT = "<think>", "</think>"

_CHUNKS = ContextShape(text=("content", "content_with_weight"), score="similarity")


def data_of(answer: Answer) -> JsonValue:
    """Returns what an envelope holds.

    Raises:
        TaskError: the call failed, whatever its status.
    """
    code, said = text_at(answer.value, "code"), text_at(answer.value, "message")
    if not answer.ok:
        raise bad_status(answer, said=said, code=code)
    if answer.value is None:
        raise not_json(answer)
    endpoint, data = answer.endpoint, at(answer.value, "data")
    if code not in {"", "0"}:
        raise failed(
            endpoint,
            f"reports code {code} in an answer with status 200: {quoted(endpoint, said)}",
            retryable=code in _PASSING_CODES,
            code=code,
        )
    if data is False:  # up to 0.25, for a header that is missing or malformed
        raise failed(endpoint, f"refused the key in an answer with code 0: {quoted(endpoint, said)}")
    return data


def chat_answer(answer: Answer) -> tuple[str, JsonValue]:
    """Returns the text and the reference of an assistant's answer.

    Raises:
        TaskError: the call failed, or the answer is of another shape.
    """
    data = data_of(answer)
    text = at(data, "answer")
    if not isinstance(text, str):
        raise invalid_answer(answer.endpoint, "data.answer", "must be a string")
    raise_for_error_text(answer.endpoint, text)
    return text, at(data, "reference")


def agent_answer(answer: Answer) -> tuple[str, JsonValue]:
    """Returns the text and the reference of an agent's answer.

    Raises:
        TaskError: the call or the agent failed, it waits for more input, or the answer is of another shape.
    """
    data = data_of(answer)
    if isinstance(data, str):
        raise_for_error_text(answer.endpoint, data)
        raise invalid_answer(answer.endpoint, "data", "must be an object")
    if at(data, "event") == "user_inputs":
        raise failed(
            answer.endpoint,
            "runs an agent that waits for its form to be filled in; give the values as agent_inputs",
            code="user_inputs",
        )
    text = at(data, "data", "content")
    if not isinstance(text, str):
        raise invalid_answer(answer.endpoint, "data.data.content", "must be a string")
    raise_for_error_text(answer.endpoint, text)
    return text, at(data, "data", "reference")


def compatible_answer(answer: Answer) -> tuple[str, JsonValue]:
    """Returns the text and the reference of an answer on the OpenAI-compatible route, also where an envelope holds it.

    Raises:
        TaskError: the call failed, or the answer is of another shape.
    """
    whole = answer.value
    if not answer.ok or not at(whole, "choices"):
        whole = data_of(answer)
    message = at(whole, "choices", 0, "message")
    text = content_of(message)
    if text is None:
        raise invalid_answer(answer.endpoint, "choices", "must hold a choice with a message's content")
    raise_for_error_text(answer.endpoint, text)
    return text, at(message, "reference")


def raise_for_error_text(endpoint: HttpEndpoint, text: str) -> None:
    """Finds a failure of the model's provider that stands in the place of an answer, or behind its beginning.

    Raises:
        TaskError: the answer is one.
    """
    found = _ERROR.match(text)
    if found is None and (later := _ERROR_LATER.search(text)):
        found = _ERROR.match(text, later.start())
    if found is not None:
        raise _provider_failed(endpoint, found["code"] or "", found["said"])
    lower = text.lower()
    if _KEY_HINT in lower and ("invalid key" in lower or "invalid api" in lower):
        raise failed(
            endpoint,
            f"reports that its model's provider refused the key: {quoted(endpoint, text)}",
            code="AUTH_ERROR",
        )


def _provider_failed(endpoint: HttpEndpoint, code: str, said: str) -> TaskError:
    reasons = {"CONTENT_FILTERED": Reason.TASK_REFUSED, "QUOTA_EXCEEDED": Reason.TASK_QUOTA_EXHAUSTED}
    return failed(
        endpoint,
        f"reports {code or 'an error'} in the place of an answer: {quoted(endpoint, said)}",
        reason=reasons.get(code, Reason.TASK_FAILED),
        retryable=code in _PASSING_ERRORS,
        code=code,
    )


def says_throttled(body: bytes) -> bool:
    """Returns whether an answer tells of a model's provider to which calls come too fast."""
    return b"**ERROR**: RATE_LIMIT_EXCEEDED" in body


def contexts_of(reference: JsonValue) -> tuple[Context, ...]:
    """Returns the passages of a reference, whose chunks are a list, an object by id, or the reference itself."""
    chunks = at(reference, "chunks")
    return _CHUNKS.read(entries_at({"chunks": reference if chunks is None else chunks}, "chunks"))


def output_of(text: str, *, keep_citations: bool, keep_thinking: bool) -> str:
    """Returns an answer without its citation marks and the thinking before it."""
    if not keep_thinking and text.lstrip().startswith(_THINKING) and _THOUGHT in text:
        text = text.partition(_THOUGHT)[2].lstrip()
    return text if keep_citations else strip_matches(text, _CITATIONS)
