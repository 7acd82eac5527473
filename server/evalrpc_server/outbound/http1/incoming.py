"""An answer as it comes in. llhttp parses it, by way of httptools."""

from __future__ import annotations

import asyncio
from collections import deque

import httptools
import httpx

MAX_HEAD_BYTES = 64 * 1024
"""The most that the head of an answer may have."""


class Incoming:
    """An answer as far as it has come.

    Args:
        bodiless: whether it has no body whatever its head says, as one to HEAD.

    Attributes:
        status: of the answer.
        reason: the phrase behind it.
        fields: the headers as they were sent.
        headers: the same, names in lower case; of those that come several times the last.
        chunks: what has come of the body and is not read.
        buffered: bytes in them.
        begun: whether the head is here.
        complete: whether all of it is here.
        reusable: whether the connection may be used again after it.
        error: why it ended before its time.
        waiter: is told when something has changed.
    """

    __slots__ = (
        "_bodiless",
        "_head_bytes",
        "_interim",
        "_parser",
        "_until_close",
        "begun",
        "buffered",
        "chunks",
        "complete",
        "error",
        "fields",
        "headers",
        "reason",
        "reusable",
        "status",
        "waiter",
    )

    def __init__(self, *, bodiless: bool) -> None:
        self.status = 0
        self.reason = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.headers: dict[str, str] = {}
        self.chunks: deque[bytes] = deque()
        self.buffered = 0
        self.begun = self.complete = self._interim = self._until_close = False
        self.reusable = True
        self.error: httpx.TransportError | None = None
        self.waiter: asyncio.Future[None] | None = None
        self._bodiless = bodiless
        self._head_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Reads on; what is wrong with the answer is its `error` from then on."""
        if not self.begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail("it changes the protocol")
        except httptools.HttpParserError as error:
            self.reusable = False
            if not self.complete:  # else the fault is in what stands behind the answer
                self.fail(str(error))
        if self._head_bytes > MAX_HEAD_BYTES and self._head_is_too_long():
            self.fail("its head is too long")
        if self.begun or self.error is not None:
            self.wake()

    def close(self, error: httpx.TransportError | None) -> None:
        """Ends the answer with its connection, which broke for a reason or was closed by the peer."""
        self.reusable = False
        if not self.complete and self.error is None:
            if error is None and self._until_close:
                self.complete = True
            else:
                self.error = error or httpx.RemoteProtocolError(
                    "The server disconnected before its answer ended."
                )
        self.wake()

    def fail(self, problem: str) -> None:
        """Ends an answer that is no HTTP."""
        self.reusable = False
        self.error = self.error or httpx.RemoteProtocolError(f"The response is malformed: {problem}.")

    def wake(self) -> None:
        """Tells whoever waits that something has changed."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def _head_is_too_long(self) -> bool:
        """Looks closer where so much has come that the head may be above the limit."""
        if self.begun:
            self._head_bytes = sum(len(name) + len(value) for name, value in self.fields)
        return self._head_bytes > MAX_HEAD_BYTES

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Notes that an answer begins, which is one too many where there was one already."""
        if self.complete:
            self.reusable = False

    def on_status(self, reason: bytes) -> None:
        """Keeps the reason phrase."""
        if not self.begun:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header; those behind a body are not wanted."""
        if not self.begun:
            self.fields.append((name, value))
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Takes the head in; an interim answer (1xx) is passed over."""
        if self.begun:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._interim, self.reason = True, b""
            self.fields.clear()
            self.headers.clear()
            return
        self.status, self.begun = status, True
        self.reusable = self._parser.should_keep_alive()
        if self._bodiless:
            self.complete = True
            self.reusable = False  # the parser expects the body that the head tells of
        else:
            coded = self.headers.get("transfer-encoding", "").lower().endswith("chunked")
            self._until_close = not coded and "content-length" not in self.headers

    def on_body(self, body: bytes) -> None:
        """Keeps a piece of the body."""
        if not self.complete:
            self.chunks.append(body)
            self.buffered += len(body)

    def on_message_complete(self) -> None:
        """Ends the answer, unless it was an interim one."""
        if self._interim:
            self._interim = False
        else:
            self.complete = True
