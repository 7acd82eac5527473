"""An HTTP endpoint that a caller named: where it is and what every call to it carries, prepared once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx

from evalrpc_server.outbound.body import ACCEPT_ENCODING
from evalrpc_server.outbound.client import EXCERPT_BYTES, HttpClient, HttpRequest, HttpResponse
from evalrpc_server.outbound.exchange import Header
from evalrpc_server.outbound.failures import CallFailedError
from evalrpc_server.outbound.http_failures import no_secret, origin
from evalrpc_server.outbound.limiter import EndpointLimiter
from evalrpc_server.outbound.retries import asked_wait, is_throttled
from evalrpc_server.outbound.secrets import REFERENCE, SEALED_MARK, SecretError, Secrets
from evalrpc_server.outbound.streams import HttpStream, StreamLimits

_OUR_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/plain;q=0.9, */*;q=0.1"),
    (b"accept-encoding", ACCEPT_ENCODING.encode()),
    (b"user-agent", b"evalrpc-server"),
)

_STREAM_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"application/json"),
    (b"accept-encoding", b"identity"),  # compressed, small events wait for one another
    (b"user-agent", b"evalrpc-server"),
)

CONNECTION_HEADERS = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that are the client's own business: they describe the connection or the framing of the body."""


class HttpEndpoint:
    """Posts JSON to one URL.

    Args:
        client: sends the calls.
        secrets: where references in headers are resolved, anew for each call.
        limiter: lets calls through.
        url: an http or https URL.
        headers: of every call; values may hold `${secret:NAME}`. They go to the URL's own origin only.
        http2: whether HTTP/2 may be used.
        sealed: values of the spec that are opened in bodies.
    """

    def __init__(
        self,
        client: HttpClient,
        secrets: Secrets,
        limiter: EndpointLimiter,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        http2: bool = False,
        sealed: Collection[str] = (),
    ) -> None:
        self._client = client
        self._sealed = sealed
        self._secrets = secrets
        self._limiter = limiter
        self._url = httpx.URL(url)
        self._http2 = http2
        self._plain: list[Header] = []
        self._secret: list[tuple[bytes, str]] = []
        self._carries_secrets = "${sealed:" in url
        for name, value in (headers or {}).items():
            key = name.lower().encode("ascii")
            if key in CONNECTION_HEADERS:
                continue
            if REFERENCE.search(value):
                self._secret.append((key, value))
            else:
                self._plain.append((key, value.encode("ascii")))
        self.origin = origin(self._url)

    def redact_answer(self, text: str) -> str:
        """Returns an answer without the secrets that calls carry, should it echo them."""
        return self._secrets.redact_answer(text) if self._secret or self._carries_secrets else text

    def excerpt(self, content: bytes) -> str:
        """Returns the beginning of an answer as it may be kept in an error."""
        return self._secrets.excerpt(content, limit=EXCERPT_BYTES)

    async def post(
        self, body: bytes | AsyncIterator[bytes], *, headers: Sequence[Header] = (), max_response_bytes: int
    ) -> HttpResponse:
        """Posts a JSON body, with some more headers.

        Raises:
            CallFailedError: there is no answer, it is not 2xx, it is too large, or a secret is missing.
        """
        return await self.send("POST", body, headers=headers, max_response_bytes=max_response_bytes)

    async def send(
        self,
        method: str,
        body: bytes | AsyncIterator[bytes],
        *,
        headers: Sequence[Header] = (),
        private_headers: Sequence[Header] = (),
        url: httpx.URL | None = None,
        max_response_bytes: int,
        any_status: bool = False,
        throttled: Callable[[bytes], bool] | None = None,
    ) -> HttpResponse:
        """Sends a JSON body, with some more headers.

        Args:
            method: of the call.
            body: JSON; empty for none.
            headers: beside those of the endpoint.
            private_headers: the same, for the URL's own origin only.
            url: another one of the endpoint's origin; by default the endpoint's own.
            max_response_bytes: the largest answer.
            any_status: whether the caller tells good from bad answers by itself.
            throttled: tells a body that says that calls come too fast where the status does not.

        Raises:
            CallFailedError: there is no answer, it is not 2xx, it is too large, or a secret is missing.
        """
        self._carries_secrets = self._carries_secrets or (isinstance(body, bytes) and SEALED_MARK in body)
        request = HttpRequest(
            url=url or self._url,
            method=method,
            headers=(*(_OUR_HEADERS if body else _OUR_HEADERS[1:]), *headers),
            private_headers=[*self._private_headers(), *private_headers],
            body=body,
            max_response_bytes=max_response_bytes,
            http2=self._http2,
            sealed=self._sealed,
            any_status=any_status,
        )
        admitted = await self._limiter.admit()
        try:
            response = await self._client.send(request)
            self._note(admitted, response.status, response.headers, response.body)
            if throttled is not None and response.status != 429 and throttled(response.body):
                self._limiter.throttled(admitted, None)
            return response
        except CallFailedError as failure:
            self._note_failure(admitted, failure)
            raise
        finally:
            self._limiter.leave()

    @asynccontextmanager
    async def stream(
        self,
        body: bytes,
        *,
        method: str = "POST",
        headers: Sequence[Header] = (),
        private_headers: Sequence[Header] = (),
        url: httpx.URL | None = None,
        accept: str = "text/event-stream",
        limits: StreamLimits | None = None,
        any_status: bool = False,
    ) -> AsyncGenerator[HttpStream]:
        """Sends a JSON body as `send` does, and gives the answer, of the media type `accept`, as it comes.

        With `any_status` the caller tells good from bad answers by itself.

        Raises:
            CallFailedError: there is no answer, it is not 2xx, or a secret is missing.
        """
        self._carries_secrets = self._carries_secrets or SEALED_MARK in body
        request = HttpRequest(
            url=url or self._url,
            method=method,
            headers=(
                *(_STREAM_HEADERS if body else _STREAM_HEADERS[1:]),
                (b"accept", accept.encode("ascii")),
                *headers,
            ),
            private_headers=[*self._private_headers(), *private_headers],
            body=body,
            http2=self._http2,
            sealed=self._sealed,
            any_status=any_status,
        )
        admitted = await self._limiter.admit()
        try:
            async with self._client.stream(request, limits) as stream:
                self._note(admitted, stream.status, stream.headers, b"")
                try:
                    yield stream
                finally:
                    if stream.throttled:
                        self._limiter.throttled(admitted, None)
        except CallFailedError as failure:
            self._note_failure(admitted, failure)
            raise
        finally:
            self._limiter.leave()

    def expand(self, text: str) -> str:
        """Returns a text with its references to secrets replaced; answers are redacted from then on.

        Raises:
            CallFailedError: a secret is missing.
        """
        if not REFERENCE.search(text):
            return text
        self._carries_secrets = True
        try:
            return self._secrets.expand(text)
        except SecretError as error:
            raise no_secret(self.origin, error) from None

    def _note(self, admitted: float, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if status >= 400 and is_throttled(status, headers, body[:EXCERPT_BYTES].decode("utf-8", "replace")):
            self._limiter.throttled(admitted, asked_wait(headers))
        self._limiter.observe(headers)

    def _note_failure(self, admitted: float, failure: CallFailedError) -> None:
        if failure.throttled:
            self._limiter.throttled(admitted, failure.retry_after)

    def _private_headers(self) -> list[Header]:
        if not self._secret:
            return self._plain
        return self._plain + [(name, self.expand(value).encode("ascii")) for name, value in self._secret]
