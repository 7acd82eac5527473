"""The httpx transport for HTTP/1.1.

General clients take CPU for what this server has no use for: httpx's own pool scans every connection at every request,
which is milliseconds at 50 calls in flight, and aiohttp's client takes three times of what this one does. Calls of tasks are
what a run is made of. `tests/benchmark/transport.py` measures the alternatives.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence

import httpx

from evalrpc_server.outbound.exchange import Answer, Header
from evalrpc_server.outbound.http1.connecting import Connector, origin_of
from evalrpc_server.outbound.http1.connection import Http1Connection
from evalrpc_server.outbound.http1.incoming import Incoming
from evalrpc_server.outbound.http1.pool import Key, Pool
from evalrpc_server.outbound.http1.request import declared_length, request_head
from evalrpc_server.outbound.settings import AddressCheck

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Http1Transport(httpx.AsyncBaseTransport):
    """Sends HTTP/1.1 requests through a pool of kept connections.

    Sends exactly the headers of the request, plus Host and what frames the body. Keeps no cookies, follows no redirects,
    decodes no content encoding, uses no proxy. Close or read each answer, and bound both with a deadline of your own. GET,
    HEAD, OPTIONS, TRACE, PUT and DELETE are sent once more where a kept connection turns out to be dead.

    Args:
        ssl_context: trusted authorities and the client certificate; by default httpx's, which verifies.
        check_address: asked with every address, also a literal one, before it is connected to.
    """

    def __init__(
        self, *, ssl_context: ssl.SSLContext | None = None, check_address: AddressCheck | None = None
    ) -> None:
        self._pool = Pool()
        self._connector = Connector(
            ssl_context or httpx.create_ssl_context(), check_address, self._pool.forget
        )
        self._closed = False

    async def exchange(
        self,
        method: str,
        url: httpx.URL,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes],
        *,
        connect_seconds: float | None = None,
    ) -> Answer:
        """As `Transport.exchange`."""
        exchange = _Exchange(method, url, headers, body, connect_seconds=connect_seconds)
        incoming = await self._send(exchange)
        return Answer(incoming.status, incoming.headers, exchange.stream(self._pool))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and returns the response once its head is here.

        Of `request.extensions`, `timeout` (`connect`, and `read`: between two reads) and `sni_hostname` are honoured.

        Raises:
            AddressRefused: the address check refused every address of the host.
            httpx.TransportError: any other failure.
        """
        timeouts = request.extensions.get("timeout") or {}
        exchange = _Exchange(
            request.method,
            request.url,
            request.headers.raw,
            _content(request),
            connect_seconds=timeouts.get("connect"),
            read_seconds=timeouts.get("read"),
            server_hostname=request.extensions.get("sni_hostname"),
            request=request,
        )
        try:
            incoming = await self._send(exchange)
        except httpx.TransportError as error:
            error.request = request
            raise
        return httpx.Response(
            incoming.status,
            headers=incoming.fields,
            stream=exchange.stream(self._pool),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": incoming.reason},
        )

    async def aclose(self) -> None:
        """Closes all connections, those in use included; the transport sends nothing afterwards."""
        self._closed = True
        await self._connector.aclose()
        await self._pool.aclose()

    async def _send(self, exchange: _Exchange) -> Incoming:
        if self._closed:
            raise RuntimeError("The transport is closed.")
        if (connection := self._pool.take(exchange.key)) is not None:
            try:
                return await exchange.make(connection)
            except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
                if not exchange.repeatable:
                    raise
        return await exchange.make(await self._connect(exchange))

    async def _connect(self, exchange: _Exchange) -> Http1Connection:
        origin, server_hostname = exchange.key
        try:
            async with asyncio.timeout(exchange.connect_seconds):
                connection = await self._connector.connect(origin, server_hostname)
        except TimeoutError:
            raise httpx.ConnectTimeout("Timed out while connecting.") from None
        self._pool.add(exchange.key, connection)
        return connection


class _Exchange:
    """A request on its way, and the connection that it went over."""

    def __init__(
        self,
        method: str,
        url: httpx.URL,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes],
        *,
        connect_seconds: float | None = None,
        read_seconds: float | None = None,
        server_hostname: str | None = None,
        request: httpx.Request | None = None,
    ) -> None:
        origin = origin_of(url.raw_scheme, url.raw_host, url.port)
        self.key: Key = origin, server_hostname
        self.connect_seconds = connect_seconds
        self._method = method
        self._body = body
        self._declared = None if isinstance(body, bytes) else declared_length(headers)
        length = len(body) if isinstance(body, bytes) else self._declared
        self._head = request_head(method, url.raw_path, origin.header, headers, length)
        self._read_seconds = read_seconds
        self._request = request
        self._connection: Http1Connection | None = None
        self._incoming: Incoming | None = None

    @property
    def repeatable(self) -> bool:
        """Whether the request may be sent once more where no answer came of it."""
        nothing_came = self._incoming is not None and not self._incoming.begun
        return self._method in _REPEATABLE and isinstance(self._body, bytes) and nothing_came

    async def make(self, connection: Http1Connection) -> Incoming:
        """Sends the request and waits for the head of its answer.

        Raises:
            httpx.TransportError: there is none.
        """
        self._connection = connection
        body = self._body if isinstance(self._body, bytes) else b""
        incoming = self._incoming = connection.begin(self._head, body, bodiless=self._method == "HEAD")
        try:
            if isinstance(self._body, bytes):
                await connection.answered(incoming, self._read_seconds)
            else:
                await self._upload(connection, incoming, self._body)
        except BaseException:
            connection.abort()
            raise
        return incoming

    def stream(self, pool: Pool) -> httpx.AsyncByteStream:
        """Returns the answer's body; the connection goes back to the pool once it has been read."""
        connection, incoming = self._connection, self._incoming
        assert connection is not None
        assert incoming is not None
        if not incoming.complete:
            return _Rest(connection, incoming, self._read_seconds, pool, self.key, self._request)
        content = incoming.chunks[0] if len(incoming.chunks) == 1 else b"".join(incoming.chunks)
        if connection.end():
            pool.put(self.key, connection)
        return httpx.ByteStream(content)

    async def _upload(
        self, connection: Http1Connection, incoming: Incoming, body: AsyncIterator[bytes]
    ) -> None:
        """Sends the body while waiting for the answer, which may come early and ends the sending."""
        answered = asyncio.ensure_future(connection.answered(incoming, self._read_seconds))
        sending = asyncio.ensure_future(_send_pieces(connection, body, self._declared))
        try:
            await asyncio.wait({answered, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not answered.done():
                _raise_failure(sending)
            await answered
            incoming.reusable = incoming.reusable and sending.done() and sending.exception() is None
        finally:
            answered.cancel()
            sending.cancel()
            await asyncio.gather(answered, sending, return_exceptions=True)


class _Rest(httpx.AsyncByteStream):
    """The rest of an answer that had not come whole with its head."""

    def __init__(
        self,
        connection: Http1Connection,
        incoming: Incoming,
        read_seconds: float | None,
        pool: Pool,
        key: Key,
        request: httpx.Request | None,
    ) -> None:
        self._connection: Http1Connection | None = connection
        self._incoming = incoming
        self._read_seconds = read_seconds
        self._pool = pool
        self._key = key
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection is None:
            return
        try:
            async for chunk in self._connection.body(self._incoming, self._read_seconds):
                yield chunk
        except httpx.TransportError as error:
            if self._request is not None:
                error.request = self._request
            raise

    async def aclose(self) -> None:
        """Gives the connection back where the body was read to its end, and closes it otherwise."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.end():
            self._pool.put(self._key, connection)


def _content(request: httpx.Request) -> bytes | AsyncIterator[bytes]:
    stream = request.stream
    if isinstance(stream, httpx.ByteStream):
        return b"".join(stream)
    if isinstance(stream, httpx.AsyncByteStream):
        return aiter(stream)
    raise RuntimeError("An async transport cannot send a synchronous request body.")


async def _send_pieces(connection: Http1Connection, body: AsyncIterator[bytes], declared: int | None) -> None:
    """Sends a body in chunks, or as many bytes as its head declared."""
    sent = 0
    async for piece in body:
        sent += len(piece)
        if declared is None and piece:
            await connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        elif declared is not None and sent <= declared:
            await connection.send(piece)
    if declared is None:
        await connection.send(b"0\r\n\r\n")
    elif sent != declared:
        raise httpx.LocalProtocolError(f"The request's body is {sent} bytes; its head said {declared}.")


def _raise_failure(sending: asyncio.Future[None]) -> None:
    if (error := sending.exception()) is None:
        return
    if isinstance(error, httpx.TransportError):
        raise error
    raise httpx.WriteError("The request's body could not be read to its end.") from error
