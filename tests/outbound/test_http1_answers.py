"""What servers may answer with, well-formed and not, in whatever pieces it arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalrpc_server.outbound.http1.connection import Http1Connection
from evalrpc_server.outbound.http1.incoming import MAX_HEAD_BYTES, Incoming
from evalrpc_server.outbound.http1.transport import Http1Transport
from tests.outbound.scripted import Connection, answer, scripted

OK = answer(b'{"output":"Paris"}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name=value\r\nParis\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[Http1Transport]:
    async with Http1Transport() as transport:
        yield transport


async def ask(transport: Http1Transport, url: str, method: str = "POST") -> tuple[int, bytes]:
    body = b"{}" if method == "POST" else b""
    answered = await transport.exchange(method, httpx.URL(url), [], body)
    try:
        return answered.status, b"".join([chunk async for chunk in answered.stream])
    finally:
        await answered.stream.aclose()


@pytest.mark.parametrize(
    ("sent", "expected", "kept"),
    [
        pytest.param(OK, (200, b'{"output":"Paris"}'), True, id="length"),
        pytest.param(CHUNKED, (200, b"Paris!"), True, id="chunks with an extension and a trailer"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", (204, b""), True, id="no content"),
        pytest.param(
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, b""), True, id="not modified"
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
            (200, b'{"output":"Paris"}'),
            True,
            id="interim answers first",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1",
            (200, b"1"),
            False,
            id="asks to close",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1", (200, b"1"), False, id="an old server"
        ),
        pytest.param(OK + b"HTTP/1.1 200 OK\r\n", (200, b'{"output":"Paris"}'), False, id="more behind it"),
        pytest.param(OK + b"\x00garbage", (200, b'{"output":"Paris"}'), False, id="something else behind it"),
    ],
)
async def test_an_answer_ends_where_its_head_says(transport, sent, expected, kept):
    async with scripted(sent, OK) as server:
        assert await ask(transport, server.url) == expected
        assert await ask(transport, server.url) == (200, b'{"output":"Paris"}')
    assert [request.connection for request in server.requests] == [1, 1 if kept else 2]


async def test_an_answer_without_a_length_ends_with_its_connection(transport):
    async with scripted(b"HTTP/1.1 200 OK\r\n\r\nall of it", closing=True) as server:
        assert await ask(transport, server.url) == (200, b"all of it")


async def test_an_answer_to_head_has_no_body_whatever_it_says(transport):
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", OK) as server:
        assert await ask(transport, server.url, "HEAD") == (200, b"")
        assert await ask(transport, server.url) == (200, b'{"output":"Paris"}')


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 1\r\nContent-Length: 2\r\n", id="two lengths"),
        pytest.param(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", id="a length and chunks"),
        pytest.param(b"Content-Length: -1\r\n", id="a negative length"),
        pytest.param(b"Content-Length: 99999999999999999999\r\n", id="a length beyond 64 bits"),
        pytest.param(b"Content Length: 1\r\n", id="a space in a name"),
        pytest.param(b"X-Folded: a\r\n b\r\n", id="a folded header"),
        pytest.param(b"X-Nul: \x00\r\n", id="a control character"),
    ],
)
async def test_an_answer_that_can_be_read_two_ways_is_refused(transport, head):
    async with scripted(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n1", closing=True) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="malformed"):
            await ask(transport, server.url)


async def test_a_change_of_protocol_that_nobody_asked_for_is_refused(transport):
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with scripted(upgrade) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="changes the protocol"):
            await ask(transport, server.url)


@pytest.mark.parametrize("piece", [b"X-More: and more\r\n", b"x" * 1000], ids=["headers", "one header"])
async def test_a_head_without_an_end_is_given_up(transport, piece):
    written = 0

    async def endless(connection: Connection) -> None:
        nonlocal written
        await connection.read_request()
        connection.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        with contextlib.suppress(ConnectionError):
            while written < 1000 * MAX_HEAD_BYTES:
                connection.write(piece)
                await connection.drain()
                written += len(piece)

    async with scripted(endless) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="too long"):
            await ask(transport, server.url)
        await server.connections_ended()
    assert written < 500 * MAX_HEAD_BYTES, "what the kernel's buffers hold besides"


class Wire(asyncio.Transport):
    """The end of a connection that a test holds."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: object) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


def begin() -> tuple[Http1Connection, Incoming]:
    loop = asyncio.new_event_loop()
    loop.close()
    connection = Http1Connection(loop, lambda _: None)
    connection.connection_made(Wire())
    return connection, connection.begin(b"POST / HTTP/1.1\r\n\r\n", b"", bodiless=False)


@given(st.sampled_from([OK, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED]), st.data())
@settings(max_examples=150, deadline=None)
def test_it_does_not_matter_in_what_pieces_an_answer_arrives(sent, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    connection, incoming = begin()
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        if start < end:
            connection.data_received(sent[start:end])
    assert incoming.complete
    assert incoming.error is None
    assert (incoming.status, incoming.reason, incoming.reusable) == (200, b"OK", True)
    whole, reference = b"".join(incoming.chunks), b"Paris!" if b"chunked" in sent else b'{"output":"Paris"}'
    assert whole == reference


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"HTTP/1.1 200 OK\r\n", b"\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"]
            ),
        ),
        max_size=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_arrives_is_an_answer_or_httpxs_error(pieces):
    connection, incoming = begin()
    for piece in pieces:
        if piece:
            connection.data_received(piece)
    connection.connection_lost(None)
    assert incoming.complete or isinstance(incoming.error, httpx.TransportError)
