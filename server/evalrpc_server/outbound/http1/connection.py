"""One connection: it sends a request and takes its answer in, one exchange at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx

from evalrpc_server.outbound.http1.incoming import Incoming

READ_BUFFER_BYTES = 128 * 1024
"""How much of a body is held before the peer has to wait for the reader."""


class Http1Connection(asyncio.Protocol):
    """An open connection.

    Args:
        loop: the running one.
        on_lost: is called once the connection is closed.

    Attributes:
        closed: whether it has been closed, by whomever.
        lost: is done once it is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Http1Connection], None]) -> None:
        self.closed = False
        self.lost: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._incoming: Incoming | None = None
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None

    def begin(self, head: bytes, body: bytes, *, bodiless: bool) -> Incoming:
        """Sends a request, or the beginning of one.

        Args:
            head: up to and with the blank line.
            body: what is sent along with it.
            bodiless: whether the answer has no body whatever its head says, as one to HEAD.
        """
        assert self._transport is not None
        incoming = self._incoming = Incoming(bodiless=bodiless)
        self._transport.write(head + body)
        return incoming

    async def send(self, piece: bytes) -> None:
        """Sends more of a request's body, and waits until the peer keeps up.

        Raises:
            httpx.WriteError: the connection is closed.
        """
        if self._transport is None or self.closed:
            raise httpx.WriteError("The connection was closed.")
        self._transport.write(piece)
        if self._writable is not None:
            await self._writable

    async def answered(self, incoming: Incoming, seconds: float | None = None) -> None:
        """Waits for the head of an answer.

        Raises:
            httpx.TransportError: there is none.
        """
        while not incoming.begun:
            if incoming.error is not None:
                raise incoming.error
            await self._wait(incoming, seconds)

    async def body(self, incoming: Incoming, seconds: float | None = None) -> AsyncIterator[bytes]:
        """Yields the body as it comes; `seconds` bounds each wait for more.

        Raises:
            httpx.TransportError: it breaks off.
        """
        while True:
            if incoming.chunks:
                chunk = incoming.chunks.popleft()
                incoming.buffered -= len(chunk)
                if self._reading_paused and incoming.buffered < READ_BUFFER_BYTES:
                    self._resume_reading()
                yield chunk
            elif incoming.complete:
                return
            elif incoming.error is not None:
                raise incoming.error
            else:
                await self._wait(incoming, seconds)

    def end(self) -> bool:
        """Ends the exchange; returns whether the connection may be used for another one, and closes it otherwise."""
        incoming, self._incoming = self._incoming, None
        if self.closed or incoming is None or not (incoming.complete and incoming.reusable):
            self.abort()
            return False
        if self._reading_paused:
            self._resume_reading()
        return True

    def abort(self) -> None:
        """Closes the connection at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, incoming: Incoming, seconds: float | None) -> None:
        waiter = incoming.waiter = self._loop.create_future()
        try:
            if seconds is None:
                await waiter
            else:
                async with asyncio.timeout(seconds):
                    await waiter
        except TimeoutError:
            raise httpx.ReadTimeout("Timed out while reading.") from None
        finally:
            incoming.waiter = None

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own are of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        """Reads on; a peer that says what nobody asked it for, or no HTTP, is left."""
        incoming = self._incoming
        if incoming is None or incoming.complete:
            self.abort()
            return
        incoming.feed(data)
        if incoming.error is not None:
            self.abort()
        elif incoming.buffered > READ_BUFFER_BYTES and not (self._reading_paused or incoming.complete):
            self._reading_paused = True
            if self._transport is not None:
                self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the answer, one way or another."""
        self.closed = True
        if self._incoming is not None:
            said = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else "Connection lost."
            self._incoming.close(None if exc is None else httpx.ReadError(said))
        self.resume_writing()
        if not self.lost.done():
            self.lost.set_result(None)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Has senders wait."""
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Lets senders go on."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
