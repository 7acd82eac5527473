from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.outbound.client import HttpRequest
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.http_failures import origin
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.settings import OutboundSettings
from evalrpc_server.targets.port import TaskCall
from evalrpc_server.targets.registry import open_target
from tests.outbound.http2_server import http2_server
from tests.standins.endpoints import Endpoints
from tests.standins.grpc_endpoints import GrpcEndpoints
from tests.targets.resources import resources


class Authority:
    """A certificate authority of the tests, with a server's and a client's certificate."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.server = self.ca.issue_cert("127.0.0.1", "localhost")
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.ca_file)
        client = self.ca.issue_cert("client@example.com")
        self.client_certificate, self.client_key = folder / "client.pem", folder / "client.key"
        self.client_certificate.write_bytes(b"".join(pem.bytes() for pem in client.cert_chain_pems))
        client.private_key_pem.write_to_path(self.client_key)

    def server_context(self, *, client_required: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if client_required:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


async def call(settings: OutboundSettings, task: Mapping[str, object]) -> str:
    outbound = Outbound(settings)
    target = open_target(TaskSpec.model_validate(task), resources(outbound))
    try:
        answer = await target.call(
            TaskCall(
                experiment=ExperimentRef(id="exp_1", name="n", run_name="r"),
                item=Item(index=0, id="a", input=Document('"x"')),
                trial=1,
                attempt=1,
                timeout=10,
                trace_id="1" * 32,
                span_id="2" * 16,
            )
        )
        return answer.output
    finally:
        await target.aclose()
        await outbound.aclose()


async def fails(settings: OutboundSettings, url: str, *, http2: bool = False) -> CallFailedError:
    outbound = Outbound(settings)
    try:
        with pytest.raises(CallFailedError) as raised:
            await outbound.http.send(HttpRequest(url=httpx.URL(url), http2=http2))
        return raised.value
    finally:
        await outbound.aclose()


async def serve_tls(context: ssl.SSLContext) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"secure"')
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


@pytest.mark.parametrize("http2", [False, True])
async def test_a_certificate_of_an_unknown_authority_is_refused(authority, http2):
    async with await serve_tls(authority.server_context()) as server:
        error = await fails(OutboundSettings(), f"https://127.0.0.1:{port_of(server)}/", http2=http2)
    assert error.failure is Failure.UNREACHABLE
    assert "certificate is not trusted" in error.message


@pytest.mark.parametrize("http2", [False, True])
async def test_a_configured_authority_is_trusted(authority, http2):
    settings = OutboundSettings(ca_file=authority.ca_file)
    async with await serve_tls(authority.server_context()) as server:
        url = f"https://127.0.0.1:{port_of(server)}/"
        assert await call(settings, {"http": {"url": url, "http2": http2}}) == '"secure"'


async def test_a_certificate_for_another_name_is_refused(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("other.example").configure_cert(context)
    async with await serve_tls(context) as server:
        error = await fails(
            OutboundSettings(ca_file=authority.ca_file), f"https://127.0.0.1:{port_of(server)}/"
        )
    assert "certificate is not trusted" in error.message


async def test_a_client_certificate_is_shown_where_one_is_asked_for(authority):
    without = OutboundSettings(ca_file=authority.ca_file)
    shown = OutboundSettings(
        ca_file=authority.ca_file,
        client_certificate=authority.client_certificate,
        client_key=authority.client_key,
    )
    async with await serve_tls(authority.server_context(client_required=True)) as server:
        url = f"https://127.0.0.1:{port_of(server)}/"
        assert await call(shown, {"http": {"url": url}}) == '"secure"'
        await fails(without, url)


async def test_grpc_uses_the_same_authority_and_client_certificate(authority):
    settings = OutboundSettings(
        ca_file=authority.ca_file,
        client_certificate=authority.client_certificate,
        client_key=authority.client_key,
    )
    credentials = grpc.ssl_server_credentials(
        [
            (
                authority.server.private_key_pem.bytes(),
                b"".join(pem.bytes() for pem in authority.server.cert_chain_pems),
            )
        ],
        root_certificates=authority.ca.cert_pem.bytes(),
        require_client_auth=True,
    )
    async with GrpcEndpoints(credentials=credentials) as endpoints:
        port = endpoints.address.rpartition(":")[2]
        task = {"grpc": {"target": f"localhost:{port}", "tls": True}}
        assert await call(settings, task) == '"x"'
        checked = OutboundSettings(
            ca_file=settings.ca_file,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            check_address=lambda _host, ip, _port: "IPv6" if ":" in ip else None,
        )
        assert await call(checked, task) == '"x"'


async def test_http2_is_spoken_where_it_is_offered(authority):
    async with http2_server(authority.server_context()) as port:
        settings = OutboundSettings(ca_file=authority.ca_file)
        task = {"http": {"url": f"https://127.0.0.1:{port}/task", "http2": True, "headers": {"X-App": "geo"}}}
        output = json.loads(await call(settings, task))
    assert output["headers"][":path"] == "/task"
    assert output["headers"]["x-app"] == "geo"
    assert output["body"]["item_id"] == "a"


async def test_http2_falls_back_to_http_1_on_plain_connections():
    async with Endpoints() as endpoints:
        assert (
            await call(OutboundSettings(), {"http": {"url": endpoints.url("/task"), "http2": True}}) == '"x"'
        )


@pytest.mark.parametrize("http2", [False, True])
async def test_every_address_is_checked_also_of_redirects(http2):
    async with Endpoints() as endpoints, Endpoints() as inner:
        settings = OutboundSettings(
            check_address=lambda _host, ip, port: (
                f"port {port} of {ip} is private" if port == inner.port else None
            )
        )
        url = endpoints.url(f"/redirect?to={inner.url('/task')}")
        error = await fails(settings, url, http2=http2)
        assert error.failure is Failure.REFUSED
        assert not error.retryable
        assert f"port {inner.port} of 127.0.0.1 is private" in error.message
        assert inner.requests == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.com", "http://example.com"),
        ("http://example.com:80/x?y", "http://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
    ],
)
def test_an_origin_is_written_in_one_way(url, expected):
    assert origin(httpx.URL(url)) == expected
