from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager

import httpx
import pytest

from evalrpc_server.outbound.client import HttpRequest
from evalrpc_server.outbound.event_stream import DONE, read_events
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.streams import StreamLimits, read_lines, read_ndjson
from tests.outbound.scripted import scripted


@pytest.fixture
async def outbound():
    outbound = Outbound()
    yield outbound
    await outbound.aclose()


def chunked(*chunks: bytes, headers: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n%b%b" % (headers, body, end)


@asynccontextmanager
async def opened(outbound, *script, limits=None, http2=False, closing=False):
    async with scripted(*script, closing=closing) as server:
        request = HttpRequest(url=httpx.URL(server.url), http2=http2)
        async with outbound.http.stream(request, limits) as stream:
            yield stream


async def failure(outbound, *script, read, limits=None, closing=False) -> CallFailedError:
    async def consume() -> None:
        async with opened(outbound, *script, limits=limits, closing=closing) as stream:
            async for _ in read(stream):
                pass

    with pytest.raises(CallFailedError) as raised:
        await consume()
    return raised.value


@pytest.mark.parametrize("http2", [False, True])
async def test_a_body_is_handed_over_as_it_comes(outbound, http2):
    more = asyncio.Event()

    async def slowly(connection):
        await connection.read_request()
        whole = chunked(b"one\n", b"two\n")
        cut = whole.index(b"two")
        connection.write(whole[:cut])
        await more.wait()
        connection.answer(whole[cut:])
        await connection.closed_by_peer()

    async with opened(outbound, slowly, http2=http2) as stream:
        assert stream.status == 200
        lines = read_lines(stream)
        assert await anext(lines) == b"one"
        more.set()
        assert [line async for line in lines] == [b"two"]


async def test_a_compressed_body_is_decoded_within_the_limit(outbound):
    plain = b'{"a":1}\n' * 100_000
    answer = chunked(gzip.compress(plain), headers=b"Content-Encoding: gzip\r\n")
    async with opened(outbound, answer) as stream:
        assert sum([1 async for _ in read_ndjson(stream)]) == 100_000
    error = await failure(outbound, answer, read=read_ndjson, limits=StreamLimits(max_bytes=100_000))
    assert error.failure is Failure.TOO_LARGE


async def test_documents_of_lines_need_no_last_line_end(outbound):
    content = (b'\xef\xbb\xbf{"a":1}\r\n\n  ', b'{"a":', '2,"b":"\u2028é"}\n3'.encode())
    async with opened(outbound, chunked(*content)) as stream:
        found = [document async for document in read_ndjson(stream)]
    assert found == [b'{"a":1}', '{"a":2,"b":"\u2028é"}'.encode(), b"3"]


async def test_a_long_line_is_refused(outbound):
    limits = StreamLimits(max_line_bytes=100)
    error = await failure(outbound, chunked(b"x" * 60, b"x" * 60), read=read_lines, limits=limits)
    assert error.failure is Failure.TOO_LARGE
    error = await failure(outbound, chunked(b"data: " + b"x" * 100), read=read_events, limits=limits)
    assert error.failure is Failure.TOO_LARGE


async def test_a_cut_connection_is_no_end(outbound):
    error = await failure(outbound, chunked(b"data: a\n\n", end=b""), read=read_events, closing=True)
    assert error.failure is Failure.TRUNCATED
    assert error.retryable


async def test_silence_is_bounded(outbound):
    answer = chunked(b"data: a\n\n", end=b"")
    error = await failure(outbound, answer, read=read_events, limits=StreamLimits(chunk_seconds=0.05))
    assert error.failure is Failure.TIMEOUT
    assert "sent nothing for 0.05 s" in error.message
    error = await failure(outbound, answer, read=read_events, limits=StreamLimits(total_seconds=0.05))
    assert "did not end its answer within 0.05 s" in error.message


async def test_the_marker_ends_the_events(outbound):
    async with opened(outbound, chunked(b"data: a\n\ndata: [DONE]\n\ndata: b\n\n")) as stream:
        assert [event.data async for event in read_events(stream, done=DONE)] == ["a"]
    async with opened(outbound, chunked(b"data: a\n\ndata: [DONE]")) as stream:
        assert [event.data async for event in read_events(stream, done=DONE)] == ["a"]


@pytest.mark.parametrize("body", [b"data: a\n\n", b"data: a\n\ndata: b"])
async def test_events_without_their_end_are_cut_off(outbound, body):
    error = await failure(outbound, chunked(body), read=lambda stream: read_events(stream, done=DONE))
    assert error.failure is Failure.TRUNCATED


async def test_a_status_that_is_no_success_fails_before_the_body(outbound):
    error = await failure(
        outbound, b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno", read=read_events
    )
    assert error.failure is Failure.HTTP_STATUS
    assert error.retry_after == 3


async def test_a_stream_that_is_left_closes_its_connection(outbound):
    async def endless(connection):
        await connection.read_request()
        connection.write(chunked(b"data: a\n\n", end=b""))
        await connection.closed_by_peer()

    async with scripted(endless) as server:
        async with outbound.http.stream(HttpRequest(url=httpx.URL(server.url))) as stream:
            async for _ in read_events(stream):
                break
        await server.connections_ended()
