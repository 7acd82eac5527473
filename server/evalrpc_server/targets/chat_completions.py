"""Reading chat completions, as OpenAI and everything compatible with it answers them.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.client import EXCERPT_BYTES
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.retries import RETRYABLE_STATUSES, is_quota_exhausted
from evalrpc_server.targets.json_paths import at, count_at, entries_at, number_at, text_at
from evalrpc_server.targets.vendors import (
    Answer,
    ContextShape,
    bad_status,
    failed,
    invalid_answer,
    not_json,
    quoted,
)

_PASSING = frozenset({"rate_limit_exceeded", "server_error", "overloaded", "overloaded_error", "timeout"})
"""Codes and types of errors that may not come again."""

_NO_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes and types of errors of an account that has nothing left."""

_THROTTLED = (b'"rate_limit_exceeded"', b'"code":429', b'"code": 429')
_MOST_SEARCHED = 64 * 1024

_AZURE = ContextShape(id=("id", "chunk_id"), source=("title", "filepath", "url"))
_RAGFLOW = ContextShape()


def raise_for_error(answer: Answer) -> None:
    """Finds the failure in an answer, also in one with a status of success.

    Raises:
        TaskError: the answer is an error, and of which kind.
    """
    said, code = error_in(answer.value)
    if not answer.ok:
        _raise_for_status(answer, said, code)
    if answer.value is None:
        raise not_json(answer)
    if said or code:
        raise error_in_success(answer.endpoint, said, code)


def says_throttled(body: bytes) -> bool:
    """Returns whether an answer with a status of success is an error that says that calls come too fast."""
    return (
        len(body) <= _MOST_SEARCHED
        and b'"error"' in body
        and any(mark in body for mark in _THROTTLED)
        and error_in(_decoded(body))[1] in {"rate_limit_exceeded", "429"}
    )


def error_in(value: JsonValue) -> tuple[str, str]:
    """Returns the message and the code of an error, in the shapes that servers give it; empty where there is none."""
    error = at(value, "error")
    if isinstance(error, str) and error:
        return error, text_at(value, "code")
    if isinstance(error, dict):
        code = text_at(error, "code") or text_at(error, "type")
        return text_at(error, "message") or "an error without a message", code
    if at(value, "choices") or at(value, "output"):
        return "", ""
    if at(value, "object") == "error":
        return text_at(value, "message"), text_at(value, "code")
    if detail := at(value, "detail"):
        return detail if isinstance(detail, str) else text_at(detail, 0, "msg") or str(detail), ""
    code = text_at(value, "code")  # RAGFlow's envelope
    return (text_at(value, "message"), code) if code not in {"", "0"} else ("", "")


def error_in_success(endpoint: HttpEndpoint, said: str, code: str) -> Exception:
    """Makes the failure of an answer with status 200 that holds an error."""
    if code in _NO_QUOTA:
        return failed(
            endpoint,
            f"says that its account has no quota left: {quoted(endpoint, said)}",
            reason=Reason.TASK_QUOTA_EXHAUSTED,
            code=code,
        )
    passing = code in _PASSING or (code.isdigit() and int(code) in RETRYABLE_STATUSES)
    return failed(
        endpoint,
        f"reports a failure in an answer with status 200: {quoted(endpoint, said)}",
        retryable=passing,
        code=code,
    )


def _raise_for_status(answer: Answer, said: str, code: str) -> NoReturn:
    kinds = {code, text_at(answer.value, "error", "type")}
    if "content_filter" in kinds:
        raise bad_status(
            answer, said=said, code="content_filter", reason=Reason.TASK_REFUSED, retryable=False
        )
    excerpt = answer.body[:EXCERPT_BYTES].decode("utf-8", "replace")
    if is_quota_exhausted(answer.status, answer.headers, excerpt):
        raise bad_status(answer, said=said, code=code, reason=Reason.TASK_QUOTA_EXHAUSTED, retryable=False)
    told = {"true": True, "false": False}.get(answer.headers.get("x-should-retry", "").lower())
    raise bad_status(answer, said=said, code=code, retryable=told)


def _decoded(body: bytes) -> JsonValue:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def message_of(answer: Answer) -> JsonValue:
    """Returns the assistant's message.

    Raises:
        TaskError: there is none, the model refused, or a filter withheld it.
    """
    message = at(answer.value, "choices", 0, "message")
    if not isinstance(message, dict):
        raise invalid_answer(answer.endpoint, "choices", "must hold a choice with a message")
    if refusal := text_at(message, "refusal"):
        raise refused(answer.endpoint, refusal, "refusal")
    if at(answer.value, "choices", 0, "finish_reason") == "content_filter":
        raise refused(answer.endpoint, "", "content_filter")
    return message


def refused(endpoint: HttpEndpoint, said: str, finish_reason: str) -> Exception:
    """Makes the failure of an item that the model refused, or whose answer a filter withheld."""
    problem = f"refused: {quoted(endpoint, said)}" if said else "withheld the answer by its content filter"
    return failed(endpoint, problem, reason=Reason.TASK_REFUSED, finish_reason=finish_reason)


def content_of(message: JsonValue) -> str | None:
    """Returns the text of a message, also where it comes in parts; None where there is none."""
    content = at(message, "content")
    if isinstance(content, list):
        return "".join(text_at(part, "text") for part in content)
    return content if isinstance(content, str) else None


def contexts_of(answer: Answer) -> tuple[Context, ...]:
    """Returns the passages beside an answer: in RAGFlow's, Azure's or FastGPT's place."""
    message = at(answer.value, "choices", 0, "message")
    if reference := at(message, "reference"):
        chunks = at(reference, "chunks") if at(reference, "chunks") is not None else reference
        return _RAGFLOW.read(entries_at({"chunks": chunks}, "chunks"))
    if citations := entries_at(message, "context", "citations"):
        return _AZURE.read(citations)
    quotes = [
        {**quote, "content": "\n".join(text for name in ("q", "a") if (text := text_at(quote, name)))}
        for response in entries_at(answer.value, "responseData")
        for quote in entries_at(response, "quoteList")
    ]
    return ContextShape(source=("sourceName",)).read(quotes)


def usage_of(answer: Answer) -> Usage | None:
    """Returns what a call consumed; the cost only where the answer has it, as OpenRouter's do, in US dollars."""
    usage = at(answer.value, "usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        input_tokens=count_at(usage, "prompt_tokens"),
        output_tokens=count_at(usage, "completion_tokens"),
        cost_usd=cost_at(usage, "cost"),
        model=text_at(answer.value, "model"),
    )


def cost_at(value: JsonValue, *path: str | int) -> float | None:
    """Returns the amount, 0 or more, at a path; None where there is none."""
    cost = number_at(value, *path)
    return cost if cost is not None and cost >= 0 else None
