"""Connections kept, lost and opened; bodies on their way out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from evalrpc_server.outbound.http1 import pool
from evalrpc_server.outbound.http1.transport import Http1Transport
from tests.outbound.scripted import Connection, answer, scripted

OK = answer(b"1")


@pytest.fixture
async def transport() -> AsyncIterator[Http1Transport]:
    async with Http1Transport() as transport:
        yield transport


async def ask(
    transport: Http1Transport,
    url: str,
    method: str = "POST",
    body: bytes | AsyncIterator[bytes] = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    answered = await transport.exchange(method, httpx.URL(url), headers, body, connect_seconds=10)
    try:
        return b"".join([chunk async for chunk in answered.stream])
    finally:
        await answered.stream.aclose()


async def leaving(connection: Connection) -> None:
    """Answers one request and closes the connection at the next."""
    await connection.read_request()
    connection.answer(OK)
    await connection.read_request()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_what_may_be_repeated_is_sent_again_where_a_kept_connection_was_dead(transport, method):
    async with scripted(leaving, OK) as server:
        await ask(transport, server.url)
        await ask(transport, server.url, method)
    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_a_post_is_never_sent_twice(transport):
    async with scripted(leaving, OK) as server:
        await ask(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            await ask(transport, server.url)
    assert len(server.requests) == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(transport):
    async with scripted(OK, OK, closing=True) as server:
        await ask(transport, server.url)
        await asyncio.gather(*(connection.lost for connection in transport._pool._open))
        await ask(transport, server.url)
    assert [request.connection for request in server.requests] == [1, 2]


async def test_a_connection_that_nobody_needs_is_closed(transport, monkeypatch):
    monkeypatch.setattr(pool, "KEEP_ALIVE_SECONDS", 0.05)
    async with scripted(OK, OK) as server:
        await ask(transport, server.url)
        await server.connections_ended()
        await ask(transport, server.url)
    assert [request.connection for request in server.requests] == [1, 2]


async def test_the_connection_that_was_used_last_is_used_next(transport):
    async def answering(connection: Connection) -> None:
        while await connection.read_request() is not None:
            await both.wait()
            connection.answer(OK)

    both = asyncio.Barrier(2)
    async with scripted(answering) as server:
        await asyncio.gather(ask(transport, server.url), ask(transport, server.url))
        await asyncio.gather(ask(transport, server.url), ask(transport, server.url))
    assert server.connections == 2


async def test_a_name_is_resolved_once_for_many_connections(transport, monkeypatch):
    asked = []
    resolve = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: object) -> object:
        asked.append(host)
        return await resolve("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with scripted(*[OK] * 20) as server:
        await asyncio.gather(*(ask(transport, f"http://tasks.example:{server.port}/") for _ in range(20)))
    assert server.connections > 1
    assert asked == ["tasks.example"]


async def test_a_name_that_was_unknown_is_asked_for_again(transport, monkeypatch):
    resolve, answers = asyncio.get_running_loop().getaddrinfo, iter([False, True])

    async def getaddrinfo(_host: str, port: int, **_options: object) -> object:
        if not next(answers):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await resolve("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with scripted(OK) as server:
        with pytest.raises(httpx.ConnectError, match="not known"):
            await ask(transport, f"http://tasks.example:{server.port}/")
        assert await ask(transport, f"http://tasks.example:{server.port}/") == b"1"


async def test_closing_ends_a_request_whose_name_is_being_resolved(monkeypatch):
    asked = asyncio.Event()

    async def getaddrinfo(*_: object, **_options: object) -> object:
        asked.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with Http1Transport() as transport:
        asking = asyncio.create_task(ask(transport, "http://tasks.example/"))
        await asked.wait()
    with pytest.raises(httpx.ConnectError, match="closed"):
        await asking


async def test_an_address_that_does_not_answer_does_not_hide_one_that_does(transport, monkeypatch):
    resolve = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(_host: str, port: int, **_options: object) -> object:
        dead = await resolve("127.0.0.2", port, type=socket.SOCK_STREAM)
        return [*dead, *await resolve("127.0.0.1", port, type=socket.SOCK_STREAM)]

    async with scripted(OK) as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        assert await ask(transport, f"http://tasks.example:{server.port}/") == b"1"


@pytest.mark.parametrize(
    "header",
    [
        (b"x name", b"1"),
        (b"", b"1"),
        (b"x:y", b"1"),
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\nb"),
        (b"x", b"a\x00"),
    ],
)
async def test_a_header_that_no_head_may_hold_is_not_sent(transport, header):
    async with scripted(OK) as server:
        with pytest.raises(httpx.LocalProtocolError):
            await ask(transport, server.url, headers=(header,))
    assert server.requests == []


async def test_the_caller_may_name_the_host(transport):
    async with scripted(OK) as server:
        await ask(transport, server.url, headers=((b"Host", b"tasks.example"),))
    assert server.requests[0].headers == {b"host": b"tasks.example", b"content-length": b"0"}


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("length", [b"5", b"7"])
async def test_a_body_of_another_length_than_its_head_says_is_not_passed_off_as_whole(transport, length):
    async with scripted(OK) as server:
        with pytest.raises(httpx.LocalProtocolError, match="6 bytes"):
            await ask(
                transport,
                server.url,
                body=pieces(b"one", b"two"),
                headers=((b"content-length", length),),
            )
        await server.connections_ended()


async def test_an_answer_that_comes_early_ends_the_sending(transport):
    async def refusing(connection: Connection) -> None:
        await connection._reader.readuntil(b"\r\n\r\n")
        connection.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        await connection.closed_by_peer()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    async with scripted(refusing, OK) as server:
        answered = await transport.exchange("POST", httpx.URL(server.url), (), endless())
        assert answered.status == 413
        assert b"".join([chunk async for chunk in answered.stream]) == b"no"
        await answered.stream.aclose()
        assert await ask(transport, server.url) == b"1"
    assert server.connections == 2


async def test_a_body_is_made_no_faster_than_it_is_taken(transport):
    made = 0
    full = asyncio.Event()

    async def slow(connection: Connection) -> None:
        await full.wait()
        connection.reset()

    async def large() -> AsyncIterator[bytes]:
        nonlocal made
        while made < 1024**3:
            made += 65536
            yield bytes(65536)

    async def stalled() -> None:
        before = -1
        while before != made or made == 0:
            before = made
            await asyncio.sleep(0.05)
        full.set()

    async with scripted(slow) as server:
        watching = asyncio.create_task(stalled())
        with pytest.raises(httpx.TransportError):
            await ask(transport, server.url, body=large())
        await watching
    assert made < 64 * 1024**2
