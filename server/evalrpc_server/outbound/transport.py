"""An httpx transport over aiohttp: httpx's interface at about the CPU cost of bare aiohttp.

Use one `AiohttpTransport` per TLS configuration for the life of the process, with prebuilt parts on a hot path:
`await transport.handle_async_request(httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(body),
extensions={"timeout": {"connect": 10, "read": 30}}))`, or through `httpx.AsyncClient(transport=transport)` where a few
tenths of a millisecond per call do not matter. Always read the response to its end or `aclose()` it, and set a
deadline of your own around both (`asyncio.timeout`): httpx's time-outs bound single steps, never the whole call.

httpx's own pool scans every connection at every request, which costs milliseconds of CPU per call at 50 calls in
flight; aiohttp keeps its idle connections per host in a queue. `tests/benchmark/transport.py` measures both.
"""

from __future__ import annotations

import math
import os
import socket
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
import httpx
import yarl

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import Any

    from aiohttp.connector import AddrInfoType

    AddressCheck = Callable[[str, str, int], str | None]
    """`(host, ip, port)` of a connection about to be opened -> why it must not be, or None when it may."""

    ProxyChoice = Callable[[httpx.URL], str | None]
    """URL of a request -> URL of the proxy it goes through, or None for a direct connection."""

# Below the 5 s after which uvicorn and Node close an idle connection: a request must not race the server's close.
KEEP_ALIVE_SECONDS = 4.0

# What one response may hold in memory before its body is read is twice this.
READ_BUFFER_BYTES = 64 * 1024

_CLIENT_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _Connecting:
    """The connection that the current task may have to open; tells the socket factory which host it is for."""

    __slots__ = ("allowed", "checked", "host", "refusals")

    def __init__(self, host: str, *, checked: bool) -> None:
        self.host = host
        self.checked = checked
        self.allowed = False
        self.refusals: list[str] = []


_connecting: ContextVar[_Connecting] = ContextVar("evalrpc_connecting")


class AddressRefused(httpx.ConnectError):
    """Every address of the host was refused by the address check; trying again is of no use."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends HTTP/1.1 requests through a pool of kept-alive aiohttp connections.

    Sends exactly the headers of the request (plus Host and the body's length), keeps no cookies, follows no redirects,
    decodes no content encoding (`httpx.Response` does that), and uses no proxy unless `proxy_for` names one.
    Of `request.extensions`, `timeout` (`connect`: from asking for a connection until it stands, TLS included; `read`:
    between two reads) and `sni_hostname` are honoured. aiohttp has no time-out for writing, so `write` is ignored.
    GET, HEAD, OPTIONS, TRACE, PUT and DELETE are sent once more when a kept connection turns out to be dead.

    Args:
        ssl_context: Trusted authorities and the client certificate; by default httpx's, which verifies.
        max_connections: Requests in flight at once, further ones wait; None for no limit.
        keepalive_expiry: Seconds an idle connection is kept.
        check_address: Asked with every address, also a literal one, right before a socket to it is opened, so that no
            second DNS answer can slip by. Not asked behind a proxy, which does its own name resolution.
        proxy_for: Picks the proxy of a request.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int | None = None,
        keepalive_expiry: float = KEEP_ALIVE_SECONDS,
        check_address: AddressCheck | None = None,
        proxy_for: ProxyChoice | None = None,
    ) -> None:
        self._ssl_context = ssl_context
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._check_address = check_address
        self._proxy_for = proxy_for
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends `request` and returns the response once its headers are here.

        Raises:
            AddressRefused: The address check refused every address of the host.
            httpx.TransportError: Any other failure, as the subclass httpx's own transport would raise.
        """
        session = self._session or self._open_session()
        target = _target(request.url)
        connecting = _Connecting(target.raw_host or "", checked=self._check_address is not None)
        proxy = self._proxy_for(request.url) if self._proxy_for is not None else None
        if proxy is not None:
            connecting.checked = False
        token = _connecting.set(connecting)
        try:
            response = await session.request(
                request.method,
                target,
                headers=_header_pairs(request),
                data=_body(request),
                allow_redirects=False,
                timeout=_timeouts(request.extensions.get("timeout")),
                server_hostname=request.extensions.get("sni_hostname"),
                proxy=proxy,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if connecting.refusals and not connecting.allowed:
                raise AddressRefused(connecting.refusals[-1], request=request) from error
            raise _as_httpx(error, request) from error
        finally:
            _connecting.reset(token)
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_response_stream(response, request),
            extensions=_response_extensions(response),
        )

    async def aclose(self) -> None:
        """Closes all connections, those in use included; the transport sends nothing afterwards."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """Opens the session at the first request, because aiohttp binds it to the running event loop."""
        if self._closed:
            raise RuntimeError("The transport is closed.")
        connector = aiohttp.TCPConnector(
            ssl=self._ssl_context or httpx.create_ssl_context(),
            limit=self._max_connections or 0,
            keepalive_timeout=self._keepalive_expiry,
            socket_factory=None if self._check_address is None else self._checked_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_CLIENT_HEADERS,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
        )
        return self._session

    def _checked_socket(self, address: AddrInfoType) -> socket.socket:
        """Makes the socket for one address of the host being connected to, or refuses to."""
        family, kind, protocol, _, sockaddr = address
        connecting = _connecting.get()
        if connecting.checked and self._check_address is not None:
            ip, port = str(sockaddr[0]), int(sockaddr[1])
            if refusal := self._check_address(connecting.host, ip, port):
                connecting.refusals.append(refusal)
                raise PermissionError(refusal)
            connecting.allowed = True
        return socket.socket(family, kind, protocol)


class _ResponseStream(httpx.AsyncByteStream):
    """The rest of a response that had not arrived entirely with its headers, as it comes from the socket."""

    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _as_httpx(error, self._request) from error

    async def aclose(self) -> None:
        """Gives the connection back when the body was read to its end, and closes it otherwise."""
        self._response.release()


def _response_stream(response: aiohttp.ClientResponse, request: httpx.Request) -> httpx.AsyncByteStream:
    content = response.content
    if content.is_eof() and content.exception() is None:
        return httpx.ByteStream(content.read_nowait())
    return _ResponseStream(response, request)


def _response_extensions(response: aiohttp.ClientResponse) -> dict[str, Any]:
    version = response.version
    extensions: dict[str, Any] = {
        "http_version": b"HTTP/1.0" if version == aiohttp.HttpVersion10 else b"HTTP/1.1"
    }
    if response.reason:
        extensions["reason_phrase"] = response.reason.encode("ascii", "ignore")
    return extensions


def _header_pairs(request: httpx.Request) -> list[tuple[str, str]]:
    """The request's headers; latin-1 keeps every byte, and aiohttp frames a streamed body itself."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request.headers.raw
        if name.lower() != b"transfer-encoding"
    ]


def _body(request: httpx.Request) -> bytes | httpx.AsyncByteStream | None:
    stream = request.stream
    if isinstance(stream, httpx.ByteStream):
        return b"".join(stream) or None
    if isinstance(stream, httpx.AsyncByteStream):
        return stream
    raise RuntimeError("An async transport cannot send a synchronous request body.")


def _target(url: httpx.URL) -> yarl.URL:
    """The request's target without userinfo and fragment, which never go over the wire (as in httpx)."""
    return _parsed(url.raw_scheme, url.netloc, url.raw_path)


@lru_cache(maxsize=1024)
def _parsed(scheme: bytes, netloc: bytes, path: bytes) -> yarl.URL:
    return yarl.URL((b"%b://%b%b" % (scheme, netloc, path)).decode("ascii"), encoded=True)


def _timeouts(extension: Mapping[str, float | None] | None) -> aiohttp.ClientTimeout:
    if not extension:
        return _NO_TIMEOUTS
    return _client_timeout(extension.get("connect"), extension.get("read"))


@lru_cache(maxsize=256)
def _client_timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    # `connect` rather than `sock_connect`: the latter starts anew with every address and leaves out name resolution.
    # aiohttp rounds time-outs above `ceil_threshold` up to whole seconds of the loop's clock.
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read, ceil_threshold=math.inf)


_NO_TIMEOUTS = aiohttp.ClientTimeout(total=None)

# The first match decides, so subclasses stand before their bases.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientSSLError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionResetError, httpx.WriteError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.InvalidURL, httpx.LocalProtocolError),
    (ValueError, httpx.LocalProtocolError),
    (TimeoutError, httpx.ReadTimeout),
)


def _as_httpx(error: Exception, request: httpx.Request) -> httpx.TransportError:
    kind = next((known for ours, known in _ERRORS if isinstance(error, ours)), httpx.ReadError)
    return kind(_message(error), request=request)


def _message(error: Exception) -> str:
    """What went wrong, without the URL's path and query, which aiohttp's own messages name and which may be secret."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "Timed out while connecting."
    if isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError | aiohttp.SocketTimeoutError
    ):
        return str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        return f"The response is malformed: {error.message}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "Server disconnected without sending a response."
    if isinstance(error, aiohttp.InvalidURL):
        return f"The URL cannot be called: {error.description or 'it is invalid'}."
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    if isinstance(error, ValueError):
        return str(error)
    return f"The connection failed: {type(error.__cause__ or error).__name__}."
