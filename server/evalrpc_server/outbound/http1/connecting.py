"""Opening connections: names, addresses that may be called, TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache

import httpx
from aiohappyeyeballs import start_connection
from msgspec import Struct

from evalrpc_server.outbound.addresses import AllRefusedError, Names, allowed
from evalrpc_server.outbound.exchange import AddressRefused
from evalrpc_server.outbound.http1.connection import Http1Connection
from evalrpc_server.outbound.settings import AddressCheck

_NEXT_ADDRESS_SECONDS = 0.25  # before the next address is tried beside a slow one (RFC 8305, 5)
_NUMERIC = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$")


class Origin(Struct, frozen=True):
    """Where connections lead: `host` as it is resolved, `header` as the Host header has it."""

    host: str
    port: int
    tls: bool
    header: bytes


@lru_cache(maxsize=1024)
def origin_of(scheme: bytes, raw_host: bytes, port: int | None) -> Origin:
    """Returns where a URL leads.

    Raises:
        httpx.UnsupportedProtocol: it is neither http nor https.
        httpx.LocalProtocolError: its host ends like an IPv4 address, and is none in the usual form (four decimal numbers).
    """
    if scheme not in {b"http", b"https"}:
        raise httpx.UnsupportedProtocol("The URL's scheme is neither http nor https.")
    host = raw_host.decode("ascii")
    if not host or (":" not in host and _NUMERIC.search(host.lower()) and not _is_ipv4(host)):
        raise httpx.LocalProtocolError("The URL's host is neither a name nor an address.")
    tls = scheme == b"https"
    usual = 443 if tls else 80
    header = b"[%b]" % raw_host if b":" in raw_host else raw_host
    if port not in {None, usual}:
        header += b":%d" % port
    return Origin(host, port or usual, tls, header)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


class Connector:
    """Opens connections to addresses that the check lets through.

    Names are resolved once in ten seconds, however many connections are opened meanwhile; addresses are checked for each
    connection, and connected to as they were checked.

    Args:
        ssl_context: trusted authorities and the client certificate.
        check_address: asked with every address, also a literal one.
        on_lost: is called with each connection that is closed.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        check_address: AddressCheck | None,
        on_lost: Callable[[Http1Connection], None],
    ) -> None:
        self._ssl_context = ssl_context
        self._check = check_address or (lambda _host, _ip, _port: None)
        self._on_lost = on_lost
        self._names = Names()

    async def connect(self, origin: Origin, server_hostname: str | None) -> Http1Connection:
        """Opens a connection.

        Args:
            origin: where to.
            server_hostname: whom the peer must prove to be; by default the host.

        Raises:
            AddressRefused: no address of the host may be called.
            httpx.ConnectError: there is no connection.
        """
        loop = asyncio.get_running_loop()
        try:
            addresses = await self._names.addresses(origin.host, origin.port)
            found = [
                _address(ip, origin.port) for ip in allowed(origin.host, origin.port, addresses, self._check)
            ]
            sock = await start_connection(
                found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1, loop=loop
            )
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, connection = await loop.create_connection(
                    lambda: Http1Connection(loop, self._on_lost),
                    sock=sock,
                    ssl=self._ssl_context if origin.tls else None,
                    server_hostname=(server_hostname or origin.host.rstrip(".")) if origin.tls else None,
                )
            except BaseException:
                sock.close()
                raise
        except AllRefusedError as error:
            raise AddressRefused(str(error)) from error
        except (OSError, ssl.CertificateError) as error:
            raise httpx.ConnectError(_said(error)) from error
        return connection

    async def aclose(self) -> None:
        """Resolves no further."""
        await self._names.aclose()


def _address(ip: str, port: int) -> tuple[int, int, int, str, tuple[str | int, ...]]:
    if ":" not in ip:
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port)
    address, _, zone = ip.partition("%")
    scope = socket.if_nametoindex(zone) if zone and not zone.isdigit() else int(zone or 0)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, scope)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
