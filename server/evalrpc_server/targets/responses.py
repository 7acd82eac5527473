"""Reading what OpenAI's Responses API answers: typed items in place of one message, failures with status 200.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.targets.chat_completions import cost_at, error_in_success, refused
from evalrpc_server.targets.json_paths import at, count_at, entries_at, text_at
from evalrpc_server.targets.vendors import Answer, ContextShape, failed, invalid_answer

_FILES = ContextShape(text=("text",), id=("file_id",), source=("filename",))


def was_cut(answer: Answer) -> bool:
    """Returns whether the answer ends at a limit of tokens.

    Raises:
        TaskError: the response is neither complete nor cut.
    """
    status = text_at(answer.value, "status")
    if not isinstance(at(answer.value, "output"), list):
        raise invalid_answer(answer.endpoint, "output", "must be a list of items")
    if status == "completed":
        return False
    reason = text_at(answer.value, "incomplete_details", "reason")
    if status == "incomplete" and reason == "content_filter":
        raise refused(answer.endpoint, "", "content_filter")
    if status == "incomplete":
        return True
    if status == "failed":
        raise error_in_success(answer.endpoint, "the response failed", "")
    raise failed(
        answer.endpoint,
        f"answered with a response that is {status[:40] or 'without a status'}",
        code=status[:40],
    )


def text_of(answer: Answer) -> str | None:
    """Returns the text of all messages; None where there is none.

    Raises:
        TaskError: the model refused.
    """
    parts = [part for item in _items(answer, "message") for part in entries_at(item, "content")]
    for part in parts:
        if at(part, "type") == "refusal":
            raise refused(answer.endpoint, text_at(part, "refusal"), "refusal")
    texts = [text_at(part, "text") for part in parts if at(part, "type") == "output_text"]
    return "".join(texts) if texts else None


def tool_calls_of(answer: Answer) -> list[JsonValue]:
    """Returns the calls of functions as chat completions have them."""
    return [
        {
            "id": text_at(item, "call_id"),
            "type": "function",
            "function": {"name": text_at(item, "name"), "arguments": text_at(item, "arguments")},
        }
        for item in _items(answer, "function_call")
    ]


def contexts_of(answer: Answer) -> tuple[Context, ...]:
    """Returns what file searches found, which is told with `include: ["file_search_call.results"]` only."""
    searches = _items(answer, "file_search_call")
    return _FILES.read([result for search in searches for result in entries_at(search, "results")])


def usage_of(answer: Answer) -> Usage | None:
    """Returns what a call consumed."""
    usage = at(answer.value, "usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        input_tokens=count_at(usage, "input_tokens"),
        output_tokens=count_at(usage, "output_tokens"),
        cost_usd=cost_at(usage, "cost"),
        model=text_at(answer.value, "model"),
    )


def _items(answer: Answer, kind: str) -> list[JsonValue]:
    return [item for item in entries_at(answer.value, "output") if at(item, "type") == kind]
