"""A minimal HTTP/1.1 server protocol for the benchmark's own endpoints.

It reads just what the benchmarked clients send (bodies with Content-Length or chunked, keep-alive, pipelining) and
costs a fraction of what they do, so that the endpoint never is the limit. It is not a general server: requests come
from the benchmark alone.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Protocol, cast

Headers = dict[bytes, bytes]


class Exchange(Protocol):
    """Answers one request; `respond` may be called later, and once."""

    def __call__(
        self, method: bytes, path: bytes, headers: Headers, body: bytes, respond: Respond
    ) -> None: ...


Respond = Callable[..., None]


class WireProtocol(asyncio.Protocol):
    """One connection: parses requests out of the byte stream and hands each to `exchange`.

    Answers are written in the order of `respond` calls, so a client must not have two requests in flight on one
    connection whose answers may overtake each other. No HTTP client of the benchmark pipelines.
    """

    __slots__ = ("_buffer", "_exchange", "_transport")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio.Transport, so no isinstance check can stand here.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and (rest := self._one_request(self._buffer)) is not None:
            self._buffer = rest

    def _one_request(self, data: bytes) -> bytes | None:
        """Handles the first request in `data` and returns what follows it, or None while it is incomplete."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = data[:end].split(b"\r\n")
        method, path, _ = lines[0].split(b" ", 2)
        headers: Headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        start = end + 4
        if b"chunked" in headers.get(b"transfer-encoding", b""):
            chunked = _read_chunks(data, start)
            if chunked is None:
                return None
            body, stop = chunked
        else:
            stop = start + int(headers.get(b"content-length", b"0"))
            if len(data) < stop:
                return None
            body = data[start:stop]
        if headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._exchange(method, path, headers, body, self._respond)
        return data[stop:]

    def _respond(
        self, body: bytes, status: bytes = b"200 OK", content_type: bytes = b"application/json"
    ) -> None:
        if self._transport is not None:
            self._transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (status, content_type, len(body), body)
            )


def _read_chunks(data: bytes, position: int) -> tuple[bytes, int] | None:
    parts: list[bytes] = []
    while True:
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            return None
        size = int(data[position:line_end].split(b";")[0], 16)
        chunk_end = line_end + 2 + size
        if len(data) < chunk_end + 2:
            return None
        if size == 0:
            return b"".join(parts), chunk_end + 2
        parts.append(data[line_end + 2 : chunk_end])
        position = chunk_end + 2


async def serve_until_terminated(exchange: Exchange) -> None:
    """Listens on a free local port, prints `{"port": n}` on one line, and serves until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: WireProtocol(exchange), "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    try:
        await stopped.wait()
    finally:
        server.close()
