"""No address that a policy does not allow is connected to, however it is written, resolved or redirected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from evalrpc.v1 import task_service_pb2_grpc
from evalrpc_server.domain.spec.fields import GrpcAddress
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.policy import PolicyError, parse_policy
from evalrpc_server.outbound.reach import Reach, reach
from evalrpc_server.outbound.settings import OutboundSettings


def words(text: str) -> list[str]:
    return text.split()


NEVER = words(
    """
0.0.0.0 0.1.2.3 169.254.0.1 169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 224.0.0.1 239.255.255.250
240.0.0.1 255.255.255.255 :: fe80::1 fe80::1%eth0 febf::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 ff02::1
::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::169.254.169.254 ::ffff:0:a9fe:a9fe ::ffff:0.0.0.0 64:ff9b::169.254.169.254
64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe:: 2002:a9fe:a9fe::1 2001:0:a9fe:a9fe:: 2001:0:4136:e378:8000:63bf:5601:5601
2a00:1450::5efe:a9fe:a9fe fe80::5efe:7f00:1 64:ff9b::6464:64c8 2002:a83f:8110::
"""
)

NEAR = words(
    """
127.0.0.1 127.0.0.2 127.255.255.254 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 ::ffff:0:7f00:1 64:ff9b::7f00:1
64:ff9b::127.0.0.1 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:7f00:1::7f00:1 2001:0:4136:e378:8000:63bf:80ff:fffe
2a00:1450::5efe:7f00:1 2a00:1450::200:5efe:7f00:1 10.0.0.1 10.255.255.255 100.64.0.1 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 ::ffff:10.0.0.1 ::ffff:c0a8:1 64:ff9b::10.0.0.1 2002:a00:1:: 2002:c0a8:1::
fc00::1 fd12:3456::1 fec0::1 100::1 2001:db8::1 2001:10::1 2001:20::1 3fff::1 5f00::1 4000::1 8000::1 1::1
"""
)

PUBLIC = words(
    "8.8.8.8 93.184.216.34 172.32.0.1 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1"
)


def test_there_are_enough_addresses():
    assert len(set(NEVER + NEAR)) >= 60


@pytest.mark.parametrize("ip", NEVER)
def test_some_addresses_are_never_called(ip):
    everything = parse_policy("public private 0.0.0.0/0 ::/0 metadata.example", local=True)
    assert everything("metadata.example", ip, 80) is not None


@pytest.mark.parametrize("ip", NEAR)
def test_near_addresses_are_called_only_where_that_is_allowed(ip):
    assert parse_policy("", local=False)("app.example", ip, 80) is not None
    assert parse_policy("", local=True)("app.example", ip, 80) is None


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_are_called_by_default(ip):
    assert reach(ip)[0] is Reach.PUBLIC
    assert parse_policy("", local=False)("app.example", ip, 443) is None
    assert parse_policy("10.0.0.0/8 private", local=True)("app.example", ip, 443) is not None


@pytest.mark.parametrize(
    ("policy", "allowed", "refused"),
    [
        ("10.2.0.0/16:9380", [("x", "10.2.3.4", 9380)], [("x", "10.2.3.4", 22), ("x", "10.3.0.1", 9380)]),
        ("10.2.3.4", [("x", "10.2.3.4", 1), ("x", "::ffff:10.2.3.4", 1)], [("x", "10.2.3.5", 1)]),
        ("[fd12::/16]:443", [("x", "fd12::1", 443)], [("x", "fd12::1", 80), ("x", "fd13::1", 443)]),
        ("fd12::/16", [("x", "fd12::1", 80)], [("x", "fd00:ec2::254", 80)]),
        ("App.Example", [("app.example.", "10.0.0.1", 1), ("APP.example", "8.8.8.8", 1)], [("b.example", "8.8.8.8", 1)]),
        ("*.corp.example:8080", [("a.corp.example", "10.0.0.1", 8080)], [("corp.example", "10.0.0.1", 8080), ("xcorp.example", "10.0.0.1", 8080), ("a.corp.example", "10.0.0.1", 80)]),
        ("public:443, localhost", [("x", "8.8.8.8", 443), ("localhost", "127.0.0.1", 5)], [("x", "8.8.8.8", 80), ("x", "127.0.0.1", 5)]),
        ("straße.example", [("strasse.example", "10.0.0.1", 1)], [("straße.net", "10.0.0.1", 1)]),
        ("8.8.0.0/16", [("x", "8.8.8.8", 1)], [("x", "2001:0:808:808:0:0:f5ff:fffe", 1)]),
    ],
)  # fmt: skip
def test_an_entry_allows_a_host_or_a_network_and_maybe_one_port(policy, allowed, refused):
    check = parse_policy(policy, local=True)
    for connection in allowed:
        assert check(*connection) is None, connection
    for connection in refused:
        assert check(*connection) is not None, connection


@pytest.mark.parametrize(
    "entry", ["10.2.0.0/33", "x:y", "x:", "x:0", "x:65536", "http://x", "a b/c", "-x", "*", "1.2.3", "[::1"]
)
def test_an_entry_that_says_nothing_is_refused(entry):  # fmt: skip
    with pytest.raises(PolicyError):
        parse_policy(entry, local=True)


def test_a_refusal_names_the_address_and_the_setting():
    refusal = parse_policy("public", local=False)("app.example", "10.0.0.1", 9380)
    assert refusal == (
        "10.0.0.1, port 9380, is a private address, and the server's --outbound-allow (public) does not allow it"
    )


# ------------------------------------------------------------------------------------------ over sockets


class Trap:
    """Listens on a port of every loopback address and counts who comes."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnull"
        self.port = 0

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.append(writer.get_extra_info("sockname")[0])
        await reader.read(65536)
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    made = Trap()
    server = await asyncio.start_server(made.visit, "0.0.0.0", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, table: dict[str, Sequence[Sequence[str]]]) -> Iterator[None]:
    """Answers for some host names, each time with the next of several answers; nothing is asked of a real server."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    asked: dict[str, int] = {}

    async def getaddrinfo(host: str, port: Any, **options: Any) -> Any:
        name = str(host).lower().rstrip(".")
        if name in table:
            number = asked[name] = asked.get(name, -1) + 1
            answer = table[name][min(number, len(table[name]) - 1)]
            return [
                (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
                for ip in answer
            ]
        return await resolve(host, port, flags=socket.AI_NUMERICHOST, type=options.get("type", 0))

    with monkeypatch.context() as patch:
        patch.setattr(loop, "getaddrinfo", getaddrinfo)
        yield


@asynccontextmanager
async def way_out(policy: str) -> AsyncIterator[Outbound]:
    check = parse_policy(policy, local=False)
    outbound = Outbound(OutboundSettings(check_address=check, connect_timeout=5.0))
    try:
        yield outbound
    finally:
        await outbound.aclose()


async def fails(outbound: Outbound, url: str, *, http2: bool = False) -> Failure | None:
    """Returns why a call failed; None where its URL is refused before there is a call."""
    try:
        endpoint = outbound.endpoint(url, http2=http2)
    except httpx.InvalidURL:
        return None
    with pytest.raises(CallFailedError) as raised:
        await endpoint.post(b"{}", max_response_bytes=1000)
    return raised.value.failure


HOSTS = words(
    """
127.0.0.1 127.0.0.1. 127.1 127.0.1 2130706433 017700000001 0x7f000001 0x7F.0.0.1 0x7f.1 0177.0.0.1 0177.0.0.01 00000177.0.0.1
0x7f.0x0.0x0.0x1 0 0.0.0.0 127.127.127.127 [::1] [0:0:0:0:0:0:0:1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1]
[::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [::1%25lo] 127.0.0.1%00.example.com 127.0.0.1%2f%2e %31%32%37.0.0.1
①②⑦.⓪.⓪.① \uff11\uff12\uff17.\uff10.\uff10.\uff11 127。0。0。1 127\uff0e0\uff0e0\uff0e1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ localhost localhost. LocalHost 127.0.0.1.nip.example inner.example
user@127.0.0.1 user:pass@127.0.0.1 public.example@127.0.0.1 public.example%40127.0.0.1 public.example\\@127.0.0.1
169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 [::ffff:169.254.169.254] [fe80::1%25lo]
"""
)

NAMES: dict[str, Sequence[Sequence[str]]] = {
    "localhost": [["127.0.0.1", "::1"]],
    "inner.example": [["127.0.0.1"]],
    "127.0.0.1.nip.example": [["127.0.0.1"]],
}


@pytest.mark.parametrize("http2", [False, True])
async def test_no_spelling_of_an_inner_address_gets_through(monkeypatch, http2):
    async with trap() as inner, way_out("public") as outbound:
        with names(monkeypatch, NAMES):
            reasons = {
                host: await fails(outbound, f"http://{host}:{inner.port}/", http2=http2) for host in HOSTS
            }
            await fails(outbound, f"http://127.0.0.1:{inner.port}#@public.example/", http2=http2)
    assert inner.visits == []
    assert set(reasons.values()) <= {None, Failure.REFUSED, Failure.UNREACHABLE}
    for plain in ("127.0.0.1", "[::1]", "localhost", "localhost.", "inner.example", "[::ffff:127.0.0.1]"):
        assert reasons[plain] is Failure.REFUSED


@pytest.mark.parametrize("http2", [False, True])
async def test_a_name_that_changes_its_address_leads_to_allowed_ones_only(monkeypatch, http2):
    table: dict[str, Sequence[Sequence[str]]] = {
        "rebind.example": [["127.0.0.2"], ["127.0.0.1"]],
        "both.example": [["127.0.0.1", "127.0.0.2"]],
    }
    async with trap() as app, way_out("127.0.0.2/32") as outbound:
        with names(monkeypatch, table):
            rebound = outbound.endpoint(f"http://rebind.example:{app.port}/", http2=http2)
            await rebound.post(b"{}", max_response_bytes=100)
            for _ in range(3):
                try:
                    await rebound.post(b"{}", max_response_bytes=100)
                except CallFailedError as error:
                    assert error.failure is Failure.REFUSED  # noqa: PT017  an answer from the right address is good too
            both = outbound.endpoint(f"http://both.example:{app.port}/", http2=http2)
            await both.post(b"{}", max_response_bytes=100)
    assert set(app.visits) == {"127.0.0.2"}


REDIRECTS = words(
    """
http://127.0.0.1:{port}/ //127.0.0.1:{port}/ http://2130706433:{port}/ http://0x7f.1:{port}/ http://[::1]:{port}/
http://[::ffff:127.0.0.1]:{port}/ http://inner.example:{port}/ http://localhost:{port}/ https://127.0.0.1:{port}/
http://user:pass@127.0.0.1:{port}/ http://127.0.0.2@127.0.0.1:{port}/ http://0:{port}/ http:\\\\127.0.0.1:{port}
file:///etc/passwd gopher://127.0.0.1:{port}/ ftp://127.0.0.1:{port}/ javascript:alert(1) data:text/plain,x http://
"""
)


async def test_no_redirect_leads_to_an_inner_address(monkeypatch):
    async with trap() as server, way_out("127.0.0.2/32") as outbound:
        with names(monkeypatch, NAMES):
            for status in (301, 302, 303, 307, 308):
                for location in REDIRECTS:
                    target = location.format(port=server.port)
                    server.answer = (
                        f"HTTP/1.1 {status} Found\r\nlocation: {target}\r\ncontent-length: 0\r\n"
                        "connection: close\r\n\r\n"
                    ).encode()
                    failure = await fails(outbound, f"http://127.0.0.2:{server.port}/")
                    assert failure in {Failure.REFUSED, Failure.REDIRECT, Failure.UNREACHABLE}, location
    assert set(server.visits) == {"127.0.0.2"}


GRPC_TARGETS = words(
    """
127.0.0.1:{port} [::1]:{port} localhost:{port} 127.1:{port} 2130706433:{port} 0x7f.1:{port} 0177.0.0.1:{port} [::ffff:127.0.0.1]:{port}
inner.example:{port} 0.0.0.0:{port} ipv4:127.0.0.1:{port} ipv6:[::1]:{port} dns:127.0.0.1:{port} dns:localhost:{port}
unix:/tmp/x:{port} unix-abstract:x:{port} vsock:1:{port} xds:x:{port} passthrough:127.0.0.1:{port} google-c2p:x:{port}
user@127.0.0.1:{port} 169.254.169.254:{port}
"""
)


async def test_no_grpc_target_leads_to_an_inner_address(monkeypatch):
    async with trap() as inner, way_out("public") as outbound:
        with names(monkeypatch, NAMES):
            for target in GRPC_TARGETS:
                address = target.format(port=inner.port)
                TypeAdapter(GrpcAddress).validate_python(address)
                endpoint = outbound.grpc_endpoint(
                    task_service_pb2_grpc.TaskServiceStub, address, tls=False, metadata={}
                )
                with pytest.raises(CallFailedError) as raised:
                    await endpoint.stub()
                assert raised.value.failure in {Failure.REFUSED, Failure.UNREACHABLE}, address
                await endpoint.aclose()
    assert inner.visits == []


async def test_a_body_with_a_secret_is_not_sent_on_to_another_origin():
    async with trap() as app, way_out("private") as outbound:
        outbound.secrets.protect("sk-a-real-key")
        location = f"http://127.0.0.3:{app.port}/"
        app.answer = f"HTTP/1.1 307 Moved\r\nlocation: {location}\r\nconnection: close\r\n\r\n".encode()
        endpoint = outbound.endpoint(f"http://127.0.0.2:{app.port}/")
        with pytest.raises(CallFailedError) as raised:
            await endpoint.post(b'{"key": "sk-a-real-key"}', max_response_bytes=100)
    assert raised.value.failure is Failure.REDIRECT
    assert "sk-a-real-key" not in raised.value.message
    assert app.visits == ["127.0.0.2"]
