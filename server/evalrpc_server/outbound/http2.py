"""HTTP/2 through httpx's own transport, for endpoints that ask for it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence

import httpcore
import httpx

from evalrpc_server.outbound.addresses import AllRefusedError, allowed_addresses
from evalrpc_server.outbound.exchange import AddressRefused, Answer, Header
from evalrpc_server.outbound.settings import AddressCheck

_KEEP_ALIVE_SECONDS = 30.0


class Http2Transport(httpx.AsyncHTTPTransport):
    """Speaks HTTP/2 where a TLS endpoint offers it (by ALPN), else HTTP/1.1."""

    def __init__(self, *, ssl_context: ssl.SSLContext, check_address: AddressCheck | None = None) -> None:
        super().__init__(verify=ssl_context, http2=True)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=None,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
            http1=True,
            http2=True,
            network_backend=None if check_address is None else _CheckedBackend(check_address),
        )

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
        timeouts = {"timeout": {"connect": connect_seconds}}
        request = httpx.Request(method, url, headers=list(headers), content=body, extensions=timeouts)
        response = await self.handle_async_request(request)
        received = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw
        }
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return Answer(response.status_code, received, response.stream)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and returns the response once its headers are here.

        Raises:
            AddressRefused: the address check refused every address of the host.
            httpx.TransportError: any other failure.
        """
        try:
            return await super().handle_async_request(request)
        except AllRefusedError as error:
            raise AddressRefused(str(error), request=request) from None


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves names itself, and connects only to addresses that the check lets through."""

    def __init__(self, check_address: AddressCheck) -> None:
        self._check = check_address
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await allowed_addresses(host, port, self._check)
        except socket.gaierror as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception | None = None
        for ip in addresses:
            try:
                return await self._backend.connect_tcp(ip, port, timeout, local_address, socket_options)
            except httpcore.NetworkError as error:
                failure = error
        assert failure is not None
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
