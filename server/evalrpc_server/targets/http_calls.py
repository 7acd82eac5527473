"""One HTTP call whose parts are templates: its URL, headers and body, filled in for each trial."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote

import httpx

from evalrpc_server.domain.documents import Document, JsonValue
from evalrpc_server.domain.templates import JsonTemplate, TemplateError, TextTemplate, UnfitValueError
from evalrpc_server.outbound.client import HttpResponse
from evalrpc_server.outbound.endpoint import CONNECTION_HEADERS, HttpEndpoint
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.streams import HttpStream, StreamLimits
from evalrpc_server.targets.templates import template_failed

Scope = Mapping[str, Document]
"""Values by the names that paths begin with."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")


class CallTemplate:
    """A call that is prepared once and filled in for each trial.

    Placeholders are percent-encoded in the URL, typed in the body, and checked in headers. References to secrets are
    resolved in the headers' own text only, never in a value of an item.

    Args:
        outbound: the way to the endpoint.
        url: an http or https URL; the same scheme, host and port for all trials.
        method: of the call.
        headers: values may hold placeholders, and `${secret:NAME}`. They go to the URL's own origin only.
        body: a JSON value with placeholders; None for no body.
        field: the place of the call in the task, such as `http.pre_call`.
        http2: whether HTTP/2 may be used.
    """

    def __init__(
        self,
        outbound: Outbound,
        url: str,
        *,
        method: str,
        headers: Mapping[str, str],
        body: JsonValue,
        field: str,
        http2: bool = False,
    ) -> None:
        fixed = {name: value for name, value in headers.items() if "{{" not in value}
        self._endpoint = outbound.endpoint(_PLACEHOLDER.sub("x", url), headers=fixed, http2=http2)
        self._method = method
        self._url = TextTemplate(url) if "{{" in url else None
        self._headers = [
            (name, TextTemplate(value))
            for name, value in headers.items()
            if "{{" in value and name.lower().encode("ascii") not in CONNECTION_HEADERS
        ]
        self._body = None if body is None else JsonTemplate(body)
        self._field = field

    @property
    def endpoint(self) -> HttpEndpoint:
        """The endpoint that is called."""
        return self._endpoint

    async def send(
        self, scope: Scope, *, body: bytes = b"", headers: Sequence[Header] = (), max_response_bytes: int
    ) -> HttpResponse:
        """Makes the call.

        Args:
            scope: what the templates are filled in with.
            body: what is sent where the call has no body of its own.
            headers: beside those of the call.
            max_response_bytes: the largest answer.

        Raises:
            TaskError: a template cannot be filled in.
            CallFailedError: as `HttpEndpoint.send`.
        """
        return await self._endpoint.send(
            self._method,
            self._filled_body(scope, body),
            headers=headers,
            private_headers=self._filled_headers(scope),
            url=self._filled_url(scope),
            max_response_bytes=max_response_bytes,
        )

    def stream(
        self,
        scope: Scope,
        *,
        body: bytes = b"",
        headers: Sequence[Header] = (),
        accept: str,
        limits: StreamLimits,
    ) -> AbstractAsyncContextManager[HttpStream]:
        """Makes the call, and gives the answer of the media type `accept` as it comes.

        Raises:
            TaskError: a template cannot be filled in.
            CallFailedError: as `HttpEndpoint.stream`.
        """
        return self._endpoint.stream(
            self._filled_body(scope, body),
            method=self._method,
            headers=headers,
            private_headers=self._filled_headers(scope),
            url=self._filled_url(scope),
            accept=accept,
            limits=limits,
        )

    def _filled_body(self, scope: Scope, default: bytes) -> bytes:
        if self._body is None:
            return default
        try:
            return self._body.render(scope).encode("utf-8")
        except TemplateError as error:
            raise template_failed(error, f"{self._field}.body") from None

    def _filled_headers(self, scope: Scope) -> Sequence[Header]:
        filled: list[Header] = []
        for name, template in self._headers:
            try:
                value = template.render(scope, escape=_header_text, literal=self._endpoint.expand)
            except TemplateError as error:
                raise template_failed(error, f"{self._field}.headers.{name}") from None
            filled.append((name.lower().encode("ascii"), value.encode("ascii")))
        return filled

    def _filled_url(self, scope: Scope) -> httpx.URL | None:
        if self._url is None:
            return None
        try:
            text = self._url.render(scope, escape=_percent_encoded)
            if {".", ".."} & set(re.split(r"[?#]", text, maxsplit=1)[0].split("/")):
                placeholder = next(self._url.placeholders)
                raise TemplateError(
                    placeholder.source, 'makes a step of the path "." or "..", which leads elsewhere'
                )
            return httpx.URL(text)
        except TemplateError as error:
            raise template_failed(error, f"{self._field}.url") from None
        except httpx.InvalidURL:
            too_long = TemplateError(next(self._url.placeholders).source, "makes the URL too long")
            raise template_failed(too_long, f"{self._field}.url") from None


def _percent_encoded(text: str) -> str:
    return quote(text, safe="")


def _header_text(text: str) -> str:
    if _CONTROL.search(text):
        raise UnfitValueError("holds a line break or another control character, which no header can carry")
    if not text.isascii():
        raise UnfitValueError("holds characters beyond ASCII, which no header can carry")
    return text
