"""Putting one answer together from a stream of events, each a JSON document."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES, Document, JsonValue
from evalrpc_server.domain.selectors import Selector
from evalrpc_server.domain.spec.http_task import HttpEventStream, HttpStreamFormat, HttpStreamText
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.event_stream import read_events
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.http_failures import unfinished
from evalrpc_server.outbound.json_answers import InvalidAnswerError
from evalrpc_server.outbound.streams import HttpStream, read_ndjson
from evalrpc_server.targets.answers import OutputTooLargeError
from evalrpc_server.targets.http_answers import AnswerReader, holds, optional_selector, select
from evalrpc_server.targets.port import TaskAnswer

_encode = msgspec.json.Encoder().encode

ACCEPTED = {
    HttpStreamFormat.SERVER_SENT_EVENTS: "text/event-stream",
    HttpStreamFormat.NDJSON: "application/x-ndjson",
}
"""The media types of streams."""


class StreamReader:
    """Reads the streams of one task.

    Args:
        spec: how the events make an answer.
        answers: reads what stands beside the output.
        endpoint: what answers, for errors.
    """

    def __init__(self, spec: HttpEventStream, answers: AnswerReader, endpoint: HttpEndpoint) -> None:
        self._answers = answers
        self._endpoint = endpoint
        self._format = spec.format
        self._joins = spec.text is HttpStreamText.DELTAS
        self._marker = spec.done_marker
        self._output = Selector(spec.output)
        self._output_event = optional_selector(spec.output_event)
        self._final_event = optional_selector(spec.final_event)
        self._error_event = optional_selector(spec.error_event)

    async def read(self, stream: HttpStream) -> TaskAnswer:
        """Reads a stream to its end.

        Raises:
            TaskError: an event tells of a failure.
            CallFailedError: the stream is cut off, too long or too slow, or an event is no JSON.
            InvalidAnswerError: a part has the wrong shape, or no event has output.
            OutputTooLargeError: the output is above 1 MiB.
        """
        texts: list[str] = []
        size, final, last = 0, None, None
        async with aclosing(self._documents(stream)) as documents:
            async for value in documents:
                self._check(value)
                last = value
                if self._final_event and holds(self._final_event, value, "final_event"):
                    final = value
                text = self._text(value)
                if text is None:
                    continue
                if not self._joins:
                    texts.clear()
                    size = 0
                texts.append(text)
                size += len(text)
                if size > MAX_DOCUMENT_BYTES:
                    raise OutputTooLargeError(size)
        if not texts:
            raise InvalidAnswerError(
                "stream", "has no event in which the task's event_stream.output finds a text"
            )
        if self._final_event and final is None:
            raise InvalidAnswerError("stream", "has no event that the task's event_stream.final_event picks")
        closing = final if self._final_event else last
        self._answers.check(closing)
        output = self._endpoint.redact_answer("".join(texts))
        return self._answers.with_output(Document(_encode(output).decode("utf-8")), closing)

    def _check(self, value: JsonValue) -> None:
        if self._error_event and holds(self._error_event, value, "error_event"):
            said = self._answers.message(value)
            if said is None:
                raise self._answers.failed("reports a failure in the middle of its answer", value)
            raise self._answers.failed(f"reports a failure in the middle of its answer: {said}")

    def _text(self, value: JsonValue) -> str | None:
        if self._output_event and not holds(self._output_event, value, "output_event"):
            return None
        found = select(self._output, value, "output")
        if isinstance(found, str) or found is None:
            return found
        if self._output_event:
            raise InvalidAnswerError("event", "has an output that is not a string")
        return None

    async def _documents(self, stream: HttpStream) -> AsyncGenerator[JsonValue]:
        self._check_type(stream)
        if self._format is HttpStreamFormat.SERVER_SENT_EVENTS:
            async with aclosing(read_events(stream, done=self._marker)) as events:
                async for event in events:
                    if event.data:
                        yield self._parsed(event.data)
            return
        async with aclosing(read_ndjson(stream)) as lines:
            async for line in lines:
                text = line.decode("utf-8", "replace")
                if self._marker and text == self._marker:
                    return
                yield self._parsed(text)
        if self._marker:
            raise unfinished(stream.url, f"ended its stream without the {self._marker!r} that ends it")

    def _parsed(self, text: str) -> JsonValue:
        text = self._endpoint.redact_answer(text)
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise CallFailedError(
                Failure.INVALID_JSON,
                "streamed an event whose data is not JSON; where that ends the stream, name it as done_marker.",
                endpoint=self._endpoint.origin,
                body=self._endpoint.excerpt(text.encode("utf-8")),
            ) from None

    def _check_type(self, stream: HttpStream) -> None:
        """Refuses one document in place of a stream, by which some applications tell of failures."""
        given = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self._format is HttpStreamFormat.SERVER_SENT_EVENTS and given == "application/json":
            raise InvalidAnswerError("content type", "is application/json, not text/event-stream")
