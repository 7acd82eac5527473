"""A TCP server that does to each connection what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Received:
    """One request; `connection` counts from 1."""

    line: bytes
    headers: dict[bytes, bytes]
    body: bytes
    connection: int


class Connection:
    """The server's end of one connection."""

    def __init__(
        self, server: ScriptedServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._number = number
        self._reader = reader
        self._writer = writer

    async def read_request(self) -> Received | None:
        """The next request, or None when the peer closed instead."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            line, *fields = head[:-4].split(b"\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (field.partition(b":") for field in fields)
            }
            if headers.get(b"transfer-encoding") == b"chunked":
                body = await self._read_chunks()
            else:
                body = await self._reader.readexactly(int(headers.get(b"content-length", b"0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        received = Received(line, headers, body, self._number)
        self._server.add(received)
        return received

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return body

    def write(self, data: bytes) -> None:
        """Queues `data`."""
        self._writer.write(data)

    def answer(self, response: bytes) -> None:
        """Queues a whole response, which ends the request."""
        self._server.in_flight -= 1
        self._writer.write(response)

    async def drain(self) -> None:
        """Waits until the peer has taken enough."""
        await self._writer.drain()

    def reset(self) -> None:
        """Ends the connection with a RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def closed_by_peer(self) -> None:
        """Waits until the peer closes its end."""
        with contextlib.suppress(ConnectionError):
            await self._reader.read()


Behaviour = bytes | Callable[[Connection], Awaitable[None]]
"""The bytes that answer one request, or a coroutine function that takes the connection over."""


@dataclass
class ScriptedServer:
    """What the server saw."""

    port: int = 0
    scheme: str = "http"
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def add(self, request: Received) -> None:
        """Notes one request."""
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._changed.set()

    async def received(self, count: int) -> None:
        """Waits until `count` requests have arrived."""
        async with asyncio.timeout(10):
            while len(self.requests) < count:
                self._changed.clear()
                await self._changed.wait()

    async def connections_ended(self) -> None:
        """Waits until every connection so far is over."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self._open)


def answer(body: bytes, headers: bytes = b"") -> bytes:
    """A 200 with a JSON body and, before the blank line, more header lines."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b" % (
        len(body),
        headers,
        body,
    )


@contextlib.asynccontextmanager
async def scripted(
    *script: Behaviour, closing: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Serves `script`, one entry per request; a coroutine function as the last entry serves every further connection.

    Args:
        script: What to do, in order of arrival. When it is used up, requests go unanswered.
        closing: Whether the connection is closed after each answer.
        tls: Serves HTTPS.
    """
    server = ScriptedServer(scheme="https" if tls else "http")
    left = list(script)

    async def play(connection: Connection) -> None:
        while left:
            if not isinstance(left[0], bytes):
                behave = left[0] if len(left) == 1 else left.pop(0)
                assert not isinstance(behave, bytes)
                await behave(connection)
                return
            if await connection.read_request() is None:
                return
            response = left.pop(0)
            assert isinstance(response, bytes)
            connection.answer(response)
            if closing:
                return
        await connection.closed_by_peer()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        server._open.add(task)
        server.connections += 1
        try:
            await play(Connection(server, server.connections, reader, writer))
        finally:
            server._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        tasks = list(server._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
