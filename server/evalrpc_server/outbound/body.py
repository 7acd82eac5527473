"""Reading a response body in bounded memory, compressed or not."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing

import httpx
from msgspec import Struct

ACCEPT_ENCODING = "gzip, deflate"
"""The content codings that `read_body` undoes."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_PIECE_BYTES = 64 * 1024


class BodyError(Exception):
    """The body is not in the content coding that its headers name; the message says so."""


class TruncatedError(Exception):
    """The connection failed before the body's end.

    Attributes:
        received: bytes that had come, as they were sent.
    """

    def __init__(self, received: int) -> None:
        super().__init__(f"the connection closed after {received} bytes")
        self.received = received


class Body(Struct, frozen=True):
    """What was read of a body.

    Attributes:
        content: the bytes, decoded; at most the limit.
        complete: False where the body is larger than the limit.
        size: bytes that the body has, as far as is known: declared, or read until the limit was passed.
    """

    content: bytes
    complete: bool
    size: int


async def read_body(stream: httpx.AsyncByteStream, headers: Mapping[str, str], limit: int) -> Body:
    """Reads a body, and no further than just past `limit` decoded bytes.

    Args:
        stream: the body as it comes; left open.
        headers: of the response; names in lower case.
        limit: bytes.

    Raises:
        BodyError: it is not what its `Content-Encoding` says.
        TruncatedError: the connection failed before its end.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        return await _read_coded(stream, headers, limit)
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        content = await _read_beginning(stream, limit)
        return Body(content, complete=False, size=int(declared))
    return await _read_plain(stream, limit)


async def _chunks(stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes]:
    received = 0
    try:
        async for chunk in stream:
            received += len(chunk)
            yield chunk
    except httpx.TransportError:
        raise TruncatedError(received) from None


async def _read_plain(stream: httpx.AsyncByteStream, limit: int) -> Body:
    if isinstance(stream, httpx.ByteStream):  # it came whole with the headers
        content = b"".join(stream)
        return Body(content[:limit], complete=len(content) <= limit, size=len(content))
    parts: list[bytes] = []
    size = 0
    async with aclosing(_chunks(stream)) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                return Body(b"".join(parts)[:limit], complete=False, size=size)
    return Body(b"".join(parts), complete=True, size=size)


async def _read_beginning(stream: httpx.AsyncByteStream, limit: int) -> bytes:
    """Reads what a too large body begins with, as far as it is worth keeping."""
    return (await _read_plain(stream, min(limit, 64 * 1024))).content


async def _read_coded(stream: httpx.AsyncByteStream, headers: Mapping[str, str], limit: int) -> Body:
    decoder = Decoder(headers)
    content = bytearray()
    async with aclosing(_chunks(stream)) as chunks:
        async for chunk in chunks:
            for piece in decoder.decode(chunk):
                content += piece
                if len(content) > limit:
                    return Body(bytes(content[:limit]), complete=False, size=len(content))
    decoder.finish()
    return Body(bytes(content), complete=True, size=len(content))


class Decoder:
    """Undoes the content coding of a body, piece by piece.

    Args:
        headers: of the response; names in lower case.

    Raises:
        BodyError: the coding was not asked for.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._coding = headers.get("content-encoding", "").strip().lower()
        if self._coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise BodyError(f"answered in the content coding {self._coding[:40]!r}, which was not asked for")
        self._inflating: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yields what a chunk decodes to, in pieces of at most 64 KiB where it was compressed.

        Raises:
            BodyError: it is not what its `Content-Encoding` says.
        """
        if self._coding in {"", "identity"}:
            yield data
            return
        if self._inflating is None:
            if not data:
                return
            self._inflating = zlib.decompressobj(_window(self._coding, data))
        while data and not self._inflating.eof:
            try:
                piece = self._inflating.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise BodyError(f"answered with a body that is not {self._coding}") from None
            if piece:
                yield piece
            data = self._inflating.unconsumed_tail

    def finish(self) -> None:
        """Checks that the body is at its end.

        Raises:
            BodyError: compressed data is missing.
        """
        if self._inflating is not None and not self._inflating.eof:
            raise BodyError(f"answered with a {self._coding} body that ends too early")


def _window(coding: str, first: bytes) -> int:
    """Tells zlib streams, which RFC 9110 means by "deflate", from the raw ones that some servers send."""
    if coding == "deflate" and first and (first[0] & 0x0F) != 8:
        return _RAW_DEFLATE
    return _GZIP_OR_ZLIB
