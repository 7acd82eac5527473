"""The head of a request, written so that nothing in it can be taken for something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache

import httpx

from evalrpc_server.outbound.exchange import Header

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\r\n"})


def request_head(
    method: str, path: bytes, host: bytes, headers: Sequence[Header], length: int | None
) -> bytes:
    """Writes a request's head, up to and with the blank line.

    Args:
        method: of the request.
        path: with the query.
        host: unless it is among the headers.
        headers: what frames the body is passed over there.
        length: of the body in bytes; None for one that is sent in chunks.

    Raises:
        httpx.LocalProtocolError: it holds what no head may.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path), b"host: " + host]
    for name, value in headers:
        kind = _kind(name)
        if kind is _Kind.HOST:
            lines[1] = b"host: " + value
        elif kind is not _Kind.FRAMING:
            lines.append(b"%b: %b" % (name, value))
    if length is None:
        lines.append(b"transfer-encoding: chunked")
    elif length or method in _WITH_BODY:
        lines.append(b"content-length: %d" % length)
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\r") != breaks or head.count(b"\n") != breaks or head.translate(None, _TEXT):
        raise httpx.LocalProtocolError("The request's head holds a line break or a control character.")
    if head.count(b" ", 0, len(lines[0])) != 2:
        raise httpx.LocalProtocolError("The request's method or target holds a space.")
    return head + b"\r\n\r\n"


def declared_length(headers: Sequence[Header]) -> int | None:
    """Returns the length of a body as the headers have it; None where they do not tell."""
    declared = [value for name, value in headers if name.lower() == b"content-length"]
    return int(declared[-1]) if declared and declared[-1].isdigit() else None


class _Kind(Enum):
    """What a header's name says of it."""

    HOST = auto()
    FRAMING = auto()
    OTHER = auto()


@lru_cache(maxsize=1024)
def _kind(name: bytes) -> _Kind:
    if _TOKEN.fullmatch(name) is None:
        raise httpx.LocalProtocolError("A header's name holds a character that no name may have.")
    lowered = name.lower()
    if lowered == b"host":
        return _Kind.HOST
    return _Kind.FRAMING if lowered in _FRAMING else _Kind.OTHER
