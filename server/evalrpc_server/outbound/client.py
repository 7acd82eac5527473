"""The HTTP client of all calls that leave the server: pooled, bounded, and careful with credentials."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx
from msgspec import Struct

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.outbound.body import BodyError, TruncatedError, read_body
from evalrpc_server.outbound.exchange import Answer, Header, Transport
from evalrpc_server.outbound.http1.transport import Http1Transport
from evalrpc_server.outbound.http2 import Http2Transport
from evalrpc_server.outbound.http_failures import (
    bad_redirect,
    bad_status,
    no_answer,
    no_secret,
    origin,
    too_large,
    truncated,
    wrong_coding,
)
from evalrpc_server.outbound.secrets import SEALED_MARK, SecretError, Secrets
from evalrpc_server.outbound.settings import OutboundSettings
from evalrpc_server.outbound.streams import HttpStream, StreamLimits

MAX_RESPONSE_BYTES = 2 * MAX_DOCUMENT_BYTES
"""The largest answer: one document, and as much again around it."""

MAX_REDIRECTS = 5
EXCERPT_BYTES = 2048
"""How much of an answer is kept in an error."""

_ERROR_BODY_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpRequest(Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        headers: sent wherever redirects lead.
        private_headers: sent to the origin of `url` only; where a name is in both, the private value is sent there.
        body: the content, or pieces of it that are read as they are sent.
        max_response_bytes: the largest body of a 2xx answer.
        http2: whether HTTP/2 may be used.
        sealed: values that are opened in the body; others that look like them are not.
        any_status: whether an answer that is neither 2xx nor a redirect is returned like one that is 2xx, and no failure.
    """

    url: httpx.URL
    method: str = "POST"
    headers: Sequence[Header] = ()
    private_headers: Sequence[Header] = ()
    body: bytes | AsyncIterator[bytes] = b""
    max_response_bytes: int = MAX_RESPONSE_BYTES
    http2: bool = False
    any_status: bool = False
    sealed: Collection[str] = ()


class HttpResponse(Struct, frozen=True):
    """An answer, read to its end; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Opened(Struct, frozen=True):
    """An answer whose body is yet to read, and where it came from."""

    answer: Answer
    url: httpx.URL


class HttpClient:
    """Sends calls over connections that all experiments share.

    There is one pool for HTTP/1.1 and one for HTTP/2; both keep connections per origin. TLS certificates are verified.
    Nothing is logged. The caller bounds the time of a call with `asyncio.timeout`; a call that is cancelled closes its
    connection.

    Raises:
        OSError: a file that the settings name cannot be read, or is no PEM file of its kind.
    """

    def __init__(self, settings: OutboundSettings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        # Made at once, so that a wrong file ends the server's start and not an experiment's first call.
        self._transport: Transport = Http1Transport(
            ssl_context=settings.ssl_context(), check_address=settings.check_address
        )
        self._transport2: Transport | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a call, follows its redirects, and returns the answer.

        Redirects lead the method as RFC 9110 (15.4) says and browsers do: 307 and 308 keep it with the body, 303 turns it
        into GET, and so do 301 and 302 with POST. Private headers are not sent any more once another origin had its hand in.

        Raises:
            CallFailedError: there is no answer, it is not 2xx, or it is larger than the request allows.
        """
        opened = await self._open(request)
        answer = opened.answer
        try:
            body = await read_body(answer.stream, answer.headers, request.max_response_bytes)
        except BodyError as error:
            raise wrong_coding(opened.url, str(error)) from None
        except TruncatedError as error:
            raise truncated(opened.url, error.received) from None
        finally:
            await answer.stream.aclose()
        if not body.complete:
            raise too_large(opened.url, body.size, request.max_response_bytes)
        return HttpResponse(answer.status, answer.headers, body.content)

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, limits: StreamLimits | None = None
    ) -> AsyncGenerator[HttpStream]:
        """Sends a call, follows its redirects as `send` does, and gives the answer with its body still to come.

        The connection is closed at the context's end where the body was not read to its own. `max_response_bytes` does not
        apply.

        Raises:
            CallFailedError: there is no answer, or it is not 2xx.
        """
        opened = await self._open(request)
        try:
            yield HttpStream(opened.answer, opened.url, limits or StreamLimits())
        finally:
            await opened.answer.stream.aclose()

    async def aclose(self) -> None:
        """Closes all connections, those in use included."""
        for transport in (self._transport, self._transport2):
            if transport is not None:
                await transport.aclose()

    async def _open(self, request: HttpRequest) -> _Opened:
        """Makes exchanges until one is no redirect."""
        url, method = self._opened_url(request.url), request.method
        body = self._opened_body(request)
        headers = _merged(request.headers, request.private_headers)
        for _ in range(MAX_REDIRECTS + 1):
            opened = await self._exchange(request, method, url, headers, body)
            if isinstance(opened, _Opened):
                return opened
            status, location = opened
            target = _redirect_target(url, location)
            if status == 303 or (status in {301, 302} and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), b""
            if not isinstance(body, bytes):
                raise bad_redirect(
                    request.url,
                    f"redirected with {status} a call whose body is sent as a stream",
                    redirects=1,
                )
            if origin(target) != origin(request.url):
                headers = list(request.headers)
                if self._secrets.holds_secret(body):
                    raise bad_redirect(
                        request.url,
                        f"redirected a call whose body holds a secret to another origin, {origin(target)}",
                        redirects=1,
                    )
            if not body:
                headers = [header for header in headers if header[0] != b"content-type"]
            url = target
        raise bad_redirect(
            request.url, f"redirected more than {MAX_REDIRECTS} times", redirects=MAX_REDIRECTS
        )

    def _opened_url(self, url: httpx.URL) -> httpx.URL:
        try:
            path = self._secrets.open_path(url.raw_path)
        except SecretError as error:
            raise no_secret(origin(url), error) from None
        return url if path == url.raw_path else url.copy_with(raw_path=path)

    def _opened_body(self, request: HttpRequest) -> bytes | AsyncIterator[bytes]:
        if not isinstance(request.body, bytes) or SEALED_MARK not in request.body:
            return request.body
        sent = dict((*request.headers, *request.private_headers))
        json_text = b"json" in sent.get(b"content-type", b"json")
        try:
            return self._secrets.open_body(request.body, request.sealed, json_text=json_text)
        except SecretError as error:
            raise no_secret(origin(request.url), error) from None

    async def _exchange(
        self,
        request: HttpRequest,
        method: str,
        url: httpx.URL,
        headers: list[Header],
        body: bytes | AsyncIterator[bytes],
    ) -> _Opened | tuple[int, str]:
        """Makes one exchange; returns the answer with its body yet to read, or the status and location of a redirect."""
        transport = self._http2() if request.http2 else self._transport
        try:
            answer = await transport.exchange(
                method, url, headers, body, connect_seconds=self._settings.connect_timeout
            )
        except httpx.TransportError as error:
            raise no_answer(url, error, connect_timeout=self._settings.connect_timeout) from None
        handed_on = False
        try:
            status, received = answer.status, answer.headers
            if status in _REDIRECTS and (location := received.get("location")):
                return status, location
            if request.any_status or 200 <= status < 300:
                handed_on = True
                return _Opened(answer, url)
            excerpt = await self._error_excerpt(received, answer.stream)
            raise bad_status(url, status, received, excerpt)
        finally:
            if not handed_on:
                await answer.stream.aclose()

    async def _error_excerpt(self, headers: Mapping[str, str], stream: httpx.AsyncByteStream) -> str:
        """Returns what an answer that is no success begins with; empty where it cannot be read."""
        try:
            body = await read_body(stream, headers, _ERROR_BODY_BYTES)
        except (BodyError, TruncatedError):
            return ""
        return self._secrets.excerpt(body.content, limit=EXCERPT_BYTES, complete=body.complete)

    def _http2(self) -> Transport:
        if self._transport2 is None:
            settings = self._settings  # with a context of its own: HTTP/2 is offered by way of it
            self._transport2 = Http2Transport(
                ssl_context=settings.ssl_context(), check_address=settings.check_address
            )
        return self._transport2


def _merged(headers: Sequence[Header], private: Sequence[Header]) -> list[Header]:
    if not private:
        return list(headers)
    names = {name for name, _ in private}
    return [header for header in headers if header[0] not in names] + list(private)


def _redirect_target(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
        if target.scheme not in {"http", "https"} or not target.host:
            raise httpx.InvalidURL("no http URL")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise bad_redirect(url, "redirected to something that is no http URL", redirects=1) from None
    return target.copy_with(userinfo=b"", fragment=None)
