"""Reading a task's answer, in the shape that users write: the output alone, or an object that holds it."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES, Document
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.json_answers import InvalidAnswerError, field_error
from evalrpc_server.targets.port import TaskAnswer

MAX_CONTEXTS = 1000
"""The most contexts that one answer may have."""

_ABSENT = msgspec.Raw(b"")
_NULL = b"null"


class _Envelope(msgspec.Struct):
    output: msgspec.Raw = _ABSENT
    contexts: msgspec.Raw = _ABSENT
    usage: msgspec.Raw = _ABSENT
    metadata: msgspec.Raw = _ABSENT


class _Context(msgspec.Struct):
    text: str | None = None
    content: str | None = None
    id: str | int | None = None
    source: str | None = None
    score: float | None = None


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Cost = Annotated[float, msgspec.Meta(ge=0)]


class _Usage(msgspec.Struct):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cost_usd: _Cost | None = None
    cost: _Cost | None = None
    model: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_contexts = msgspec.json.Decoder(list[str | _Context]).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


class OutputTooLargeError(Exception):
    """The output is above the limit of a document.

    Attributes:
        size_bytes: the size that was refused.
    """

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the output is {size_bytes} bytes of JSON")
        self.size_bytes = size_bytes


def read_task_answer(text: Document) -> TaskAnswer:
    """Reads an answer: an object with the key `output`, or else anything as the output itself.

    Args:
        text: valid JSON; the output keeps its bytes.

    Raises:
        InvalidAnswerError: `contexts`, `usage` or `metadata` beside an output have the wrong shape.
        OutputTooLargeError: the output is above 1 MiB.
    """
    if not text.startswith("{"):
        return TaskAnswer(output=checked_output(text))
    envelope = _decode_envelope(text)
    if not (output := bytes(envelope.output)):
        return TaskAnswer(output=checked_output(text))
    return TaskAnswer(
        output=checked_output(output.decode("utf-8")),
        contexts=read_contexts(envelope.contexts),
        usage=read_usage(envelope.usage),
        metadata=read_metadata(envelope.metadata),
    )


def checked_output(text: str) -> Document:
    """Returns an output's JSON text.

    Raises:
        OutputTooLargeError: it is above 1 MiB.
    """
    if len(text) * 4 > MAX_DOCUMENT_BYTES and (size := len(text.encode("utf-8"))) > MAX_DOCUMENT_BYTES:
        raise OutputTooLargeError(size)
    return Document(text)


def _given(raw: msgspec.Raw) -> bytes:
    content = bytes(raw)
    return b"" if content == _NULL else content


def read_contexts(raw: msgspec.Raw) -> tuple[Context, ...]:
    """Reads a list of contexts: texts, or objects with the keys text or content, id, source and score.

    Raises:
        InvalidAnswerError: it is something else.
    """
    if not (content := _given(raw)):
        return ()
    try:
        contexts = _decode_contexts(content)
    except msgspec.ValidationError as error:
        raise field_error("contexts", error) from None
    if len(contexts) > MAX_CONTEXTS:
        raise InvalidAnswerError("contexts", f"must have at most {MAX_CONTEXTS} entries, not {len(contexts)}")
    return tuple(_context(context, f"contexts[{index}]") for index, context in enumerate(contexts))


def _context(given: str | _Context, path: str) -> Context:
    if isinstance(given, str):
        return Context(text=given)
    text = given.text if given.text is not None else given.content
    if text is None:
        raise InvalidAnswerError(f"{path}.text", "is missing; give the passage as text or content")
    if given.score is not None and not math.isfinite(given.score):
        raise InvalidAnswerError(f"{path}.score", "must be a finite number")
    identity = "" if given.id is None else str(given.id)
    return Context(text=text, id=identity, source=given.source or "", score=given.score)


def read_usage(raw: msgspec.Raw) -> Usage | None:
    """Reads an object with the keys input_tokens, output_tokens, cost_usd or cost, and model.

    Raises:
        InvalidAnswerError: it is something else.
    """
    if not (content := _given(raw)):
        return None
    try:
        usage = _decode_usage(content)
    except msgspec.ValidationError as error:
        raise field_error("usage", error) from None
    cost = usage.cost_usd if usage.cost_usd is not None else usage.cost
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost,
        model=usage.model or "",
    )


def read_metadata(raw: msgspec.Raw) -> Document | None:
    """Reads metadata, an object.

    Raises:
        InvalidAnswerError: it is something else.
    """
    if not (content := _given(raw)):
        return None
    if not content.startswith(b"{"):
        raise InvalidAnswerError("metadata", "must be an object")
    return Document(content.decode("utf-8"))
