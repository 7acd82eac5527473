"""One request and its answer, as the transports of HTTP/1.1 and HTTP/2 make them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import httpx
from msgspec import Struct

Header = tuple[bytes, bytes]
"""A header's name, in lower case, and its value."""


class AddressRefused(httpx.ConnectError):
    """Every address of the host was refused by the address check; trying again is of no use."""


class Answer(Struct, frozen=True):
    """An answer whose body is yet to read, and whose stream is to be closed.

    Attributes:
        status: the HTTP status.
        headers: names in lower case.
        stream: the body; an `httpx.ByteStream` where it came whole with the head.
    """

    status: int
    headers: Mapping[str, str]
    stream: httpx.AsyncByteStream


class Transport(Protocol):
    """Sends requests and follows no redirects."""

    async def exchange(
        self,
        method: str,
        url: httpx.URL,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes],
        *,
        connect_seconds: float | None = None,
    ) -> Answer:
        """Sends a request and returns the answer once its head is here.

        Args:
            method: of the request.
            url: of http or https.
            headers: all but Host and those that frame the body.
            body: whole, or in pieces that are sent as they come.
            connect_seconds: in which a connection must stand, name resolution and TLS included.

        Raises:
            AddressRefused: no address of the host may be called.
            httpx.TransportError: any other failure.
        """

    async def aclose(self) -> None:
        """Closes all connections, those in use included."""
