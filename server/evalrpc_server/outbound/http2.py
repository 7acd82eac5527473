"""HTTP/2 through httpx's own transport, for endpoints that ask for it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

import httpcore
import httpx

from evalrpc_server.outbound.addresses import AllRefusedError, allowed_addresses
from evalrpc_server.outbound.settings import AddressCheck
from evalrpc_server.outbound.transport import AddressRefused

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
