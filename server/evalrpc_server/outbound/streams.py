"""Answers that are read as they come, in bounded memory and time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import httpx
from msgspec import Struct

from evalrpc_server.outbound.body import BodyError, Decoder
from evalrpc_server.outbound.exchange import Answer
from evalrpc_server.outbound.failures import CallFailedError
from evalrpc_server.outbound.http_failures import stalled, too_large, truncated, wrong_coding


class StreamLimits(Struct, frozen=True, kw_only=True):
    """How much a streamed answer may take.

    Attributes:
        max_bytes: of the whole body, decoded. Texts that are sent anew with each event grow with its square.
        max_line_bytes: of one line, and of one event.
        chunk_seconds: how long the endpoint may be silent.
        total_seconds: how long the whole body may take; None where the caller bounds it.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_line_bytes: int = 2 * 1024 * 1024
    chunk_seconds: float = 300.0
    total_seconds: float | None = None


class HttpStream:
    """A 2xx answer whose body has yet to come. Read it once, with `chunks`.

    Attributes:
        status: the HTTP status.
        headers: names in lower case.
        url: where the answer came from, after redirects.
        limits: what the body may take.
        throttled: to be set by the reader where an event says that calls come too fast.
    """

    def __init__(self, answer: Answer, url: httpx.URL, limits: StreamLimits) -> None:
        self._stream = answer.stream
        self.status = answer.status
        self.headers = answer.headers
        self.url = url
        self.limits = limits
        self.throttled = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yields the body, decoded, in the pieces in which it arrives.

        Raises:
            CallFailedError: the connection failed, or the body is longer or slower than the limits allow.
        """
        limit, size = self.limits.max_bytes, 0
        try:
            decoder = Decoder(self.headers)
            async with aclosing(self._received()) as received:
                async for chunk in received:
                    for piece in decoder.decode(chunk):
                        size += len(piece)
                        if size > limit:
                            raise too_large(self.url, size, limit)
                        yield piece
            decoder.finish()
        except BodyError as error:
            raise wrong_coding(self.url, str(error)) from None

    async def _received(self) -> AsyncGenerator[bytes]:
        iterator: AsyncIterator[bytes] = aiter(self._stream)
        received, loop = 0, asyncio.get_running_loop()
        end = loop.time() + (math.inf if self.limits.total_seconds is None else self.limits.total_seconds)
        while True:
            until = min(loop.time() + self.limits.chunk_seconds, end)
            # Around each step, as a timeout that spans a yield would cancel the consumer's code.
            waiting = asyncio.timeout_at(until)
            try:
                async with waiting:
                    chunk = await anext(iterator, None)
            except TimeoutError:
                if waiting.expired():
                    raise self._too_slow(whole=until == end) from None
                raise
            except httpx.TransportError:
                raise truncated(self.url, received) from None
            if chunk is None:
                return
            received += len(chunk)
            yield chunk

    def _too_slow(self, *, whole: bool) -> CallFailedError:
        if whole:
            return stalled(self.url, f"did not end its answer within {self.limits.total_seconds:g} s")
        return stalled(
            self.url, f"sent nothing for {self.limits.chunk_seconds:g} s in the middle of its answer"
        )


async def read_lines(stream: HttpStream) -> AsyncGenerator[bytes]:
    """Yields the lines of an answer without their ends, LF or CRLF; the last one needs none.

    Raises:
        CallFailedError: as `HttpStream.chunks`; a line is too long.
    """
    limit, rest = stream.limits.max_line_bytes, bytearray()
    async with aclosing(stream.chunks()) as chunks:
        async for chunk in chunks:
            *lines, tail = chunk.split(b"\n")
            for line in lines:
                whole = (bytes(rest) + line) if rest else line
                rest.clear()
                _check_line(stream, len(whole), limit)
                yield whole.removesuffix(b"\r")
            rest += tail
            _check_line(stream, len(rest), limit)
    if rest:
        yield bytes(rest).removesuffix(b"\r")


async def read_ndjson(stream: HttpStream) -> AsyncGenerator[bytes]:
    """Yields the documents of an answer of one JSON document per line, as they were written; they are not checked.

    Raises:
        CallFailedError: as `read_lines`.
    """
    first = True
    async with aclosing(read_lines(stream)) as lines:
        async for line in lines:
            document = (line.removeprefix(b"\xef\xbb\xbf") if first else line).strip(b" \t\r")
            first = False
            if document:
                yield document


def _check_line(stream: HttpStream, size: int, limit: int) -> None:
    if size > limit:
        raise too_large(stream.url, size, limit, what="a line of")
