from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme
import uvloop

from evalrpc_server.outbound.exchange import AddressRefused
from evalrpc_server.outbound.http1.transport import Http1Transport
from tests.outbound.scripted import Connection, ScriptedServer, answer, scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OK = answer(b'{"output":"Paris"}')


@pytest.fixture
async def transport() -> AsyncIterator[Http1Transport]:
    async with Http1Transport() as transport:
        yield transport


def post(
    url: str, body: bytes = b"{}", headers: dict[str, str] | None = None, **timeouts: float | None
) -> httpx.Request:
    return httpx.Request(
        "POST", url, headers=headers, stream=httpx.ByteStream(body), extensions={"timeout": timeouts}
    )


async def fetch(transport: Http1Transport, request: httpx.Request) -> bytes:
    response = await transport.handle_async_request(request)
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def test_the_request_goes_out_as_given_and_nothing_is_added_but_host_and_length(transport):
    async with scripted(OK) as server:
        headers = {"Content-Type": "application/json", "traceparent": "00-1-2-01"}
        request = post(f"{server.url}/a%2Fb?q=%20x#fragment", b'{"input":1}', headers)
        assert await fetch(transport, request) == b'{"output":"Paris"}'
    [received] = server.requests
    assert received.line == b"POST /a%2Fb?q=%20x HTTP/1.1"
    assert received.body == b'{"input":1}'
    assert received.headers == {
        b"host": server.url.removeprefix("http://").encode(),
        b"content-type": b"application/json",
        b"traceparent": b"00-1-2-01",
        b"content-length": b"11",
    }


async def test_it_is_a_transport_for_an_httpx_client():
    async with scripted(OK) as server, httpx.AsyncClient(transport=Http1Transport()) as client:
        response = await client.post(f"{server.url}/task", json={"input": "France"})
    assert response.json() == {"output": "Paris"}
    assert response.http_version == "HTTP/1.1"
    assert response.reason_phrase == "OK"
    assert server.requests[0].body == b'{"input":"France"}'


async def test_a_body_is_delivered_as_it_arrives(transport):
    async def slowly(connection: Connection) -> None:
        await connection.read_request()
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await first_seen.wait()
        connection.write(b"3\r\ntwo\r\n0\r\n\r\n")

    first_seen = asyncio.Event()
    chunks = []
    async with scripted(slowly) as server:
        response = await transport.handle_async_request(post(server.url))
        async for chunk in response.aiter_raw():
            chunks.append(chunk)
            first_seen.set()
    assert chunks == [b"one", b"two"]


async def test_an_endless_body_is_held_back_by_the_reader(transport):
    written = 0

    async def endless(connection: Connection) -> None:
        nonlocal written
        await connection.read_request()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while written < 3 * 1024**3:
                connection.write(bytes(65536))
                await connection.drain()
                written += 65536

    async with scripted(endless) as server:
        response = await transport.handle_async_request(post(server.url))
        received = 0
        async for chunk in response.aiter_raw():
            assert len(chunk) <= 4 * 65536
            received += len(chunk)
            if received > 1024**2:
                break
        await response.aclose()
        await server.connections_ended()
    assert written < 64 * 1024**2


async def test_a_connection_is_kept_for_the_next_request(transport):
    async with scripted(OK, OK) as server:
        await fetch(transport, post(server.url))
        await fetch(transport, post(server.url))
    assert [request.connection for request in server.requests] == [1, 1]


async def test_a_connection_whose_response_was_given_up_is_not_used_again(transport):
    unfinished = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    async with scripted(unfinished, OK) as server:
        response = await transport.handle_async_request(post(server.url))
        await response.aclose()
        assert await fetch(transport, post(server.url)) == b'{"output":"Paris"}'
    assert [request.connection for request in server.requests] == [1, 2]


async def test_many_requests_are_in_flight_at_once(transport):
    async with gathering(200) as server:
        await asyncio.gather(*(fetch(transport, post(server.url)) for _ in range(200)))
    assert server.most_in_flight == 200


async def test_cookies_are_not_kept(transport):
    async with scripted(answer(b"1", b"Set-Cookie: session=1; Path=/\r\n"), OK) as server:
        await fetch(transport, post(server.url))
        await fetch(transport, post(server.url))
    assert b"cookie" not in server.requests[1].headers


async def test_a_redirect_is_the_callers_matter(transport):
    redirect = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with scripted(redirect) as server:
        response = await transport.handle_async_request(post(server.url))
        await response.aclose()
    assert response.status_code == 307
    assert response.headers["location"] == "/elsewhere"


async def test_content_encoding_is_left_to_the_response(transport):
    packed = gzip.compress(b'{"output":"Paris"}')
    compressed = answer(packed, b"Content-Encoding: gzip\r\n")
    async with scripted(compressed, compressed) as server:
        response = await transport.handle_async_request(post(server.url))
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["content-length"] == str(len(packed))
        assert await response.aread() == b'{"output":"Paris"}'
        response = await transport.handle_async_request(post(server.url))
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == packed


@pytest.mark.parametrize("headers", [{}, {"content-length": "6"}])
async def test_a_request_body_can_be_streamed(transport, headers):
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with scripted(OK) as server:
        request = httpx.Request("PUT", server.url, headers=headers, content=body())
        await fetch(transport, request)
    assert server.requests[0].body == b"onetwo"
    assert (b"content-length" in server.requests[0].headers) == bool(headers)


async def test_a_request_body_that_fails_fails_the_request(transport):
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("the disk is gone")

    async with scripted(OK) as server:
        with pytest.raises(httpx.TransportError):
            await fetch(transport, httpx.Request("POST", server.url, content=body()))


async def reset(connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def silent(connection: Connection) -> None:
    await connection.read_request()
    await connection.closed_by_peer()


async def silent_in_the_body(connection: Connection) -> None:
    await connection.read_request()
    connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    await connection.closed_by_peer()


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(b"", httpx.RemoteProtocolError, id="closes without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", httpx.RemoteProtocolError, id="closes in the headers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1",
            httpx.RemoteProtocolError,
            id="closes in the body",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
            httpx.RemoteProtocolError,
            id="closes between chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            httpx.RemoteProtocolError,
            id="sends a bad chunk",
        ),
        pytest.param(
            b"220 smtp.example.org ESMTP\r\n", httpx.RemoteProtocolError, id="speaks another protocol"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
            httpx.RemoteProtocolError,
            id="sends an overlong header",
        ),
        pytest.param(reset, httpx.ReadError, id="resets the connection"),
        pytest.param(silent, httpx.ReadTimeout, id="never answers"),
        pytest.param(silent_in_the_body, httpx.ReadTimeout, id="stops in the body"),
    ],
)
async def test_a_servers_fault_becomes_httpxs_error(transport, behaviour, expected):
    async with scripted(behaviour, closing=True) as server:
        request = post(f"{server.url}/task?token=hush", read=0.2)
        with pytest.raises(expected) as caught:
            await fetch(transport, request)
    assert type(caught.value) is expected
    assert caught.value.request is request
    assert "hush" not in str(caught.value)


async def test_a_port_that_nobody_listens_on_is_a_connect_error(transport):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(httpx.ConnectError) as caught:
            await fetch(transport, post(f"http://127.0.0.1:{unused.getsockname()[1]}/?token=hush"))
    assert type(caught.value) is httpx.ConnectError
    assert "hush" not in str(caught.value)


async def test_a_name_without_an_address_is_a_connect_error(transport, monkeypatch):
    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, post("http://nowhere.example/"))


async def test_a_handshake_that_hangs_is_a_connect_timeout(transport):
    async with scripted(silent) as server:
        with pytest.raises(httpx.ConnectTimeout) as caught:
            await fetch(
                transport, post(server.url.replace("http://", "https://") + "/?token=hush", connect=0.2)
            )
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("ftp://127.0.0.1/file", httpx.UnsupportedProtocol), ("http://127.1/", httpx.LocalProtocolError)],
)
async def test_a_url_that_cannot_be_called_is_refused(transport, url, expected):
    with pytest.raises(expected):
        await fetch(transport, post(url))


async def test_a_header_cannot_smuggle_in_another(transport):
    async with scripted(OK) as server:
        with pytest.raises(httpx.LocalProtocolError):
            await fetch(transport, post(server.url, headers={"X-Name": "a\r\nX-Other: b"}))
    assert server.requests == []


async def test_a_cancelled_request_gives_its_connection_up(transport):
    async with scripted(silent) as server:
        task = asyncio.create_task(fetch(transport, post(server.url)))
        await server.received(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.connections_ended()


async def test_the_address_is_checked_when_connecting():
    asked = []

    def check(host: str, ip: str, port: int) -> str | None:
        asked.append((host, ip, port))
        return None if ip == "127.0.0.1" else f"{ip} is not allowed"

    async with scripted(OK, OK, OK) as server, Http1Transport(check_address=check) as transport:
        for host in ("localhost", "127.0.0.1", "127.0.0.1"):
            await fetch(transport, post(f"http://{host}:{server.port}/"))
    assert ("localhost", "127.0.0.1", server.port) in asked
    assert asked.count(("127.0.0.1", "127.0.0.1", server.port)) == 1, "a kept connection was checked already"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_refused_address_is_not_connected_to(host):
    async with (
        scripted(OK) as server,
        Http1Transport(check_address=lambda *_: "loopback is not allowed") as transport,
    ):
        with pytest.raises(AddressRefused, match="loopback is not allowed"):
            await fetch(transport, post(f"http://{host}:{server.port}/"))
    assert server.connections == 0


async def test_the_environments_proxies_are_ignored(transport, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with scripted(OK) as server:
        assert await fetch(transport, post(server.url)) == b'{"output":"Paris"}'


async def test_an_unknown_authority_is_a_connect_error():
    async with scripted(OK, tls=server_tls(trustme.CA())) as server, Http1Transport() as transport:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await fetch(transport, post(server.url))


async def test_a_custom_authority_and_a_client_certificate():
    authority = trustme.CA()
    server_context = server_tls(authority)
    server_context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    authority.issue_cert("evalrpc@example.org").configure_cert(client_context)
    async with (
        scripted(OK, tls=server_context) as server,
        Http1Transport(ssl_context=client_context) as transport,
    ):
        assert await fetch(transport, post(server.url)) == b'{"output":"Paris"}'


async def test_a_host_with_a_dot_at_its_end_is_proved_without_it(monkeypatch):
    async def getaddrinfo(_host: str, port: int, **_options: object) -> object:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("tasks.example").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with (
        scripted(OK, tls=server_context) as server,
        Http1Transport(ssl_context=client_context) as transport,
    ):
        url = f"https://tasks.example.:{server.port}/"
        assert await fetch(transport, post(url)) == b'{"output":"Paris"}'


async def test_closing_ends_what_is_in_flight_and_leaves_nothing_open():
    transport = Http1Transport()
    async with scripted(OK, silent) as server:
        await fetch(transport, post(server.url))
        task = asyncio.create_task(fetch(transport, post(server.url)))
        await server.received(2)
        await transport.aclose()
        with pytest.raises(httpx.TransportError):
            await task
        await server.connections_ended()
    with pytest.raises(RuntimeError, match="closed"):
        await fetch(transport, post(server.url))
    gc.collect()


def test_it_runs_on_uvloop():
    async def scenario() -> bytes:
        async with (
            scripted(OK) as server,
            Http1Transport(check_address=lambda *_: None) as transport,
        ):
            return await fetch(transport, post(server.url))

    assert uvloop.run(scenario()) == b'{"output":"Paris"}'


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def gathering(size: int) -> AsyncIterator[ScriptedServer]:
    """A server that answers only when `size` requests are there at once, and so deadlocks with fewer connections."""
    barrier = asyncio.Barrier(size)

    async def wait_for_the_others(connection: Connection) -> None:
        while await connection.read_request() is not None:
            await barrier.wait()
            connection.answer(OK)

    async with scripted(wait_for_the_others) as server:
        yield server
