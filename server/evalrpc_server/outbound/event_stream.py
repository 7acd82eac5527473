"""Server-sent events, read as the HTML standard says (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from msgspec import Struct

from evalrpc_server.outbound.http_failures import too_large, unfinished
from evalrpc_server.outbound.streams import HttpStream

DONE = "[DONE]"
"""The data that ends the streams of OpenAI and of what is compatible with it."""

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(Struct, frozen=True):
    """One event.

    Attributes:
        data: its data lines, joined by line feeds.
        event: its type.
        id: the last event ID when it was dispatched.
        retry: milliseconds, where this event asked for another reconnection time.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class EventTooLargeError(Exception):
    """An event, or a line of one, is longer than the parser's limit.

    Attributes:
        size: bytes, as far as they were counted.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"an event of more than {size} bytes")
        self.size = size


class EventStreamParser:
    """Turns bytes, cut anywhere, into events. Lines end with LF, CR or CRLF; bytes that are no UTF-8 become U+FFFD.

    Args:
        max_event_bytes: the most that one event may take, with its field names.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._rest = bytearray()
        self._begun = False
        self._after_cr = False
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._id = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yields the events that end within a chunk.

        Raises:
            EventTooLargeError: an event is too large.
        """
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                yield event
        self._check(self._size + len(self._rest))

    def unfinished(self) -> ServerSentEvent | None:
        """Returns what stands at the end of the stream without the empty line that ends an event.

        The standard has readers drop it: it may have been cut off. None where there is no data.
        """
        if self._rest:
            line = bytes(self._rest)
            self._rest.clear()
            self._field(line)
        return self._dispatch()

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        if not chunk:
            return
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
        self._after_cr = False
        if not self._begun:
            self._rest += chunk
            if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
                return
            chunk = bytes(self._rest).removeprefix(_BOM)
            self._rest.clear()
            self._begun = True
        for line in chunk.splitlines(keepends=True):
            if line[-1:] not in b"\r\n":
                self._rest += line
                return
            ended = line.rstrip(b"\r\n")
            if self._rest:
                ended = bytes(self._rest) + ended
                self._rest.clear()
            yield ended
        self._after_cr = chunk[-1:] == b"\r"

    def _field(self, line: bytes) -> None:
        self._size += len(line)
        self._check(self._size)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\x00" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value[:12])

    def _dispatch(self) -> ServerSentEvent | None:
        data, event, retry = self._data, self._event, self._retry
        self._data, self._event, self._retry, self._size = [], "", None, 0
        if not data:
            return None
        return ServerSentEvent("\n".join(data), event or "message", self._id, retry)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLargeError(size)


async def read_events(stream: HttpStream, *, done: str = "") -> AsyncGenerator[ServerSentEvent]:
    """Yields the events of an answer.

    Args:
        stream: a body of the type text/event-stream.
        done: the data that ends the stream, such as `DONE`, and is not yielded; empty where the body's end does.

    Raises:
        CallFailedError: as `HttpStream.chunks`; an event is too large; the body ends within an event or before `done`.
    """
    parser = EventStreamParser(max_event_bytes=stream.limits.max_line_bytes)
    try:
        async with aclosing(stream.chunks()) as chunks:
            async for chunk in chunks:
                for event in parser.feed(chunk):
                    if done and event.data.strip() == done:
                        return
                    yield event
        left = parser.unfinished()
    except EventTooLargeError as error:
        raise too_large(stream.url, error.size, stream.limits.max_line_bytes, what="an event of") from None
    if done and left is not None and left.data.strip() == done:
        return
    if left is not None:
        raise unfinished(stream.url, "ended its stream within an event: no empty line follows the last one")
    if done:
        raise unfinished(stream.url, f"ended its stream without the {done!r} that ends it")
