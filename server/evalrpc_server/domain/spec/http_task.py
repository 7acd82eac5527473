"""The task behind any HTTP endpoint: what to send, as templates, and where its answer holds what."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Seconds, SpecModel
from evalrpc_server.domain.spec.http_fields import (
    Body,
    Captures,
    HeaderTemplates,
    Method,
    RequiredSelector,
    Selector,
    StripPattern,
    UrlTemplate,
)
from evalrpc_server.domain.spec.templates import EXPECTED_OUTPUT, ITEM_ROOTS, Fault, faults, find_faults


class HttpCall(SpecModel):
    """One further call around a trial."""

    url: UrlTemplate
    method: Method = "POST"
    headers: HeaderTemplates
    body: Body = None
    capture: Captures


class HttpSelectors(SpecModel):
    """Where in an answer the parts of a result are."""

    output: Selector = ""
    contexts: Selector = ""
    input_tokens: Selector = ""
    output_tokens: Selector = ""
    cost_usd: Selector = ""
    error: Selector = ""
    metadata: Selector = ""


class HttpStreamFormat(StrEnum):
    """The ways to write a stream of events."""

    SERVER_SENT_EVENTS = "HTTP_STREAM_FORMAT_SERVER_SENT_EVENTS"
    NDJSON = "HTTP_STREAM_FORMAT_NDJSON"


class HttpStreamText(StrEnum):
    """The ways in which events carry text."""

    DELTAS = "HTTP_STREAM_TEXT_DELTAS"
    CUMULATIVE = "HTTP_STREAM_TEXT_CUMULATIVE"


class HttpEventStream(SpecModel):
    """How one answer is put together from a stream of events."""

    format: HttpStreamFormat
    text: HttpStreamText
    output_event: Selector = ""
    output: RequiredSelector
    final_event: Selector = ""
    error_event: Selector = ""
    done_marker: str = Field(default="", max_length=1000)


class HttpPolling(SpecModel):
    """How the result of a call is waited for that only submits; `interval` is in seconds."""

    url: UrlTemplate
    capture: Captures
    done: RequiredSelector
    failed: Selector = ""
    interval: Seconds = 1.0


class HttpTask(SpecModel):
    """An HTTP endpoint. With `url` and `headers` alone it speaks evalrpc's own shape."""

    url: UrlTemplate
    method: Method = "POST"
    headers: HeaderTemplates
    include_expected_output: bool = False
    http2: bool = False
    body: Body = None
    pre_call: HttpCall | None = None
    post_call: HttpCall | None = None
    selectors: HttpSelectors | None = None
    success: Selector = ""
    event_stream: HttpEventStream | None = None
    polling: HttpPolling | None = None
    strip: tuple[StripPattern, ...] = Field(default=(), max_length=20)
    retry_timeouts: bool = False

    @model_validator(mode="after")
    def _values_are_there(self) -> HttpTask:
        if found := list(self._template_faults()):
            raise faults(found)
        return self

    @model_validator(mode="after")
    def _one_way_to_answer(self) -> HttpTask:
        if self.event_stream and self.polling:
            raise PydanticCustomError("one_of", "must set at most one of event_stream, polling; both are set")
        if self.event_stream and self.selectors and self.selectors.output:
            raise faults(
                [(".selectors.output", "must be empty with an event_stream, whose own output finds the text")]
            )
        return self

    def _template_faults(self) -> Iterator[Fault]:
        roots = (*ITEM_ROOTS, EXPECTED_OUTPUT) if self.include_expected_output else ITEM_ROOTS
        captured: set[str] = set()
        if self.pre_call:
            yield from _call_faults(self.pre_call, roots, captured, ".pre_call")
            captured |= self.pre_call.capture.keys()
        yield from _call_faults(self, roots, captured, "")
        if self.post_call:
            yield from _call_faults(self.post_call, roots, captured, ".post_call")
        if self.polling:
            captured |= self.polling.capture.keys()
            yield from find_faults(self.polling.url, roots=roots, captured=captured, path=".polling.url")
            if _origin(self.polling.url) != _origin(self.url):
                yield (
                    ".polling.url",
                    "must have the scheme, host and port of url, as it is called with the same headers",
                )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _call_faults(
    call: HttpCall | HttpTask, roots: Collection[str], captured: Collection[str], path: str
) -> Iterator[Fault]:
    for field in ("url", "headers", "body"):
        yield from find_faults(getattr(call, field), roots=roots, captured=captured, path=f"{path}.{field}")
    if call.body is not None and call.method in {"GET", "HEAD"}:
        yield f"{path}.body", f"cannot be sent with {call.method}; choose another method, or leave it out"
