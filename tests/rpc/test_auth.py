"""Who may call: tokens and their limits, certificates, and addresses that need one of them."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
import yaml
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from msgspec.structs import replace

from evalrpc_server import tokens as tokens_module
from evalrpc_server.addresses import ListenError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.logs import LogFormat, Logs
from evalrpc_server.rpc.auth import TokenAuthentication, check_exposure
from evalrpc_server.rpc.settings import RpcSettings, TlsFiles
from evalrpc_server.tokens import Tokens, TokensError, make_token
from tests.rpc.probe import DEADLINE, Probe, failing, serving

ANY = "127.0.0.1:0"


async def echo(request: StringValue, _context: object) -> StringValue:
    return request


async def endless(_request: object, _context: object) -> AsyncIterator[StringValue]:
    yield StringValue()
    await asyncio.Event().wait()


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


class TokenFile:
    """A file of tokens that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **limits: dict[str, object]) -> dict[str, str]:
        """Writes new tokens, by their names with their limits, and returns them."""
        made = {name: make_token() for name in limits}
        entries = [{"name": name, "sha256": made[name][1], **limits[name]} for name in limits]
        self.path.write_text(yaml.safe_dump({"tokens": entries}), encoding="utf-8")
        return {name: token for name, (token, _) in made.items()}

    def guard(self) -> TokenAuthentication:
        return TokenAuthentication(Tokens(self.path))


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.yaml")


async def test_a_token_of_the_file_is_let_in_under_its_name(file: TokenFile):
    token = file.write(ci={}, other={})["ci"]
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(guards=[file.guard()], Unary=echo) as probe:
            assert await probe.call("Unary", "in", metadata=bearer(token)) == ["in"]
    [line] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert line["user"] == "ci"
    assert token not in stream.getvalue()


@pytest.mark.parametrize(
    "metadata",
    [[], bearer("wrong"), bearer(""), [("authorization", "Basic abc")], [("authorization", "evr_no_scheme")]],
)
async def test_everybody_else_is_unauthenticated(file: TokenFile, metadata: list[tuple[str, str]]):
    file.write(ci={})
    async with serving(guards=[file.guard()], Unary=echo) as probe:
        failed = await failing(probe.call("Unary", metadata=metadata))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED)
        assert "authorization: Bearer" in failed.info.metadata["hint"]


async def test_a_method_that_does_not_exist_tells_strangers_nothing(file: TokenFile):
    file.write(ci={})
    async with serving(guards=[file.guard()]) as probe:
        call: Any = probe.channel.unary_unary("/a/b")
        assert (await failing(call(b""))).code == grpc.StatusCode.UNAUTHENTICATED


async def test_health_checks_need_no_token(file: TokenFile):
    file.write(ci={})
    async with serving(guards=[file.guard()], Unary=echo) as probe:
        stub: Any = health_pb2_grpc.HealthStub(probe.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_token_has_no_more_rpcs_open_than_it_may(file: TokenFile):
    made = file.write(small={"max_open_rpcs": 1}, large={})
    async with serving(guards=[file.guard()], Unary=echo, ServerStream=endless) as probe:
        stream = probe.begin("ServerStream", metadata=bearer(made["small"]))
        await stream.read()
        failed = await failing(probe.call("Unary", metadata=bearer(made["small"])))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.TOO_MANY_RPCS)
        assert failed.info.metadata["limit"] == "1"
        assert await probe.call("Unary", metadata=bearer(made["large"])) == [""]
        stream.cancel()


async def test_a_token_starts_no_more_rpcs_a_second_than_it_may(file: TokenFile):
    made = file.write(slow={"rpcs_per_second": 0.001}, fast={})
    async with serving(guards=[file.guard()], Unary=echo) as probe:
        assert await probe.call("Unary", metadata=bearer(made["slow"])) == [""]
        failed = await failing(probe.call("Unary", metadata=bearer(made["slow"])))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED)
        assert 900 < failed.retry.retry_delay.seconds <= 1000
        assert await probe.call("Unary", metadata=bearer(made["fast"])) == [""]


async def test_a_changed_file_is_followed_and_a_broken_one_is_not(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tokens_module, "_LOOK_SECONDS", 0.0)
    old = file.write(ci={})["ci"]
    async with serving(guards=[file.guard()], Unary=echo) as probe:
        await probe.call("Unary", metadata=bearer(old))
        new = file.write(ci={}, more={})["ci"]
        await probe.call("Unary", metadata=bearer(new))
        assert (
            await failing(probe.call("Unary", metadata=bearer(old)))
        ).code is grpc.StatusCode.UNAUTHENTICATED
        file.path.write_text("tokens: [", encoding="utf-8")
        await probe.call("Unary", metadata=bearer(new))
        file.path.unlink()
        await probe.call("Unary", metadata=bearer(new))


HASH = "a" * 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "valid dictionary"),
        ("tokens: []", "at least 1 item"),
        ("tokens: [", "not YAML"),
        ("tokens: [{name: a}]", "tokens.0.sha256: Field required"),
        ("tokens: [{name: a, sha256: hunter2}]", "tokens.0.sha256"),
        (f"tokens: [{{name: 'a b', sha256: {HASH}}}]", "tokens.0.name"),
        (f"tokens: [{{name: a, sha256: {HASH}, rate: 1}}]", "tokens.0.rate"),
        (f"tokens: [{{name: a, sha256: {HASH}, max_open_rpcs: 0}}]", "tokens.0.max_open_rpcs"),
        (f"tokens: [{{name: a, sha256: {HASH}, rpcs_per_second: .inf}}]", "tokens.0.rpcs_per_second"),
        (f"tokens: [{{name: a, sha256: {HASH}}}, {{name: a, sha256: {HASH}}}]", "share the name a"),
    ],
)
def test_a_wrong_file_is_refused_and_its_problem_named(tmp_path: Path, text: str, problem: str):
    path = tmp_path / "tokens.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TokensError) as caught:
        Tokens(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(TokensError, match="No such file"):
        Tokens(tmp_path / "none.yaml")


AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


class Identity:
    """The server's certificate in files."""

    def __init__(self, directory: Path, *, mutual: bool) -> None:
        self._certificate = directory / "server.pem"
        self._key = directory / "server.key"
        authorities = directory / "authorities.pem"
        AUTHORITY.cert_pem.write_to_path(authorities)
        self.renew()
        self.settings = RpcSettings(
            listen=ANY,
            tls=TlsFiles(
                certificate=self._certificate,
                key=self._key,
                client_authorities=authorities if mutual else None,
            ),
        )

    def renew(self) -> trustme.LeafCert:
        issued = AUTHORITY.issue_cert("localhost")
        self._certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(self._key)
        return issued


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path, mutual=False)


async def call_over_tls(probe: Probe, client: trustme.LeafCert | None = None) -> list[str]:
    credentials = grpc.ssl_channel_credentials(
        root_certificates=AUTHORITY.cert_pem.bytes(),
        private_key=client.private_key_pem.bytes() if client else None,
        certificate_chain=b"".join(part.bytes() for part in client.cert_chain_pems) if client else None,
    )
    target = f"localhost:{probe.address.rpartition(':')[2]}"
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
        return await Probe(probe.server, probe.address, channel).call("Unary", "secret")


async def test_calls_are_encrypted_with_the_servers_certificate(identity: Identity):
    async with serving(settings=identity.settings, Unary=echo) as probe:
        assert await call_over_tls(probe) == ["secret"]
        assert (await failing(probe.call("Unary"))).code == grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_shown_without_a_restart(identity: Identity):
    async with serving(settings=identity.settings, Unary=echo) as probe:
        port = int(probe.address.rpartition(":")[2])
        first = await asyncio.to_thread(shown_certificate, port)
        identity.renew()
        assert await asyncio.to_thread(shown_certificate, port) != first
        assert await call_over_tls(probe) == ["secret"]


def shown_certificate(port: int) -> str:
    return ssl.get_server_certificate(("localhost", port), timeout=DEADLINE)


async def test_with_client_certificates_only_those_of_the_authority_get_in(tmp_path: Path):
    identity = Identity(tmp_path, mutual=True)
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(settings=identity.settings, Unary=echo) as probe:
            mine = AUTHORITY.issue_cert("ci.example", common_name="ci")
            assert await call_over_tls(probe, mine) == ["secret"]
            for client in (None, STRANGER.issue_cert("ci.example")):
                assert (await failing(call_over_tls(probe, client))).code == grpc.StatusCode.UNAVAILABLE
    [line] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert line["user"] == "ci"


async def test_a_certificate_that_cannot_be_read_is_told_at_the_start(tmp_path: Path):
    missing = TlsFiles(certificate=tmp_path / "none.pem", key=tmp_path / "none.key")
    with pytest.raises(FileNotFoundError):
        async with serving(settings=RpcSettings(listen=ANY, tls=missing)):
            pass


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051", "host.example:50051"])
def test_an_address_that_others_can_reach_needs_authentication(listen: str, tmp_path: Path):
    with pytest.raises(ListenError, match="reachable from other machines"):
        check_exposure(RpcSettings(listen=listen), tokens=False, insecure=False)
    check_exposure(RpcSettings(listen=listen), tokens=True, insecure=False)
    check_exposure(RpcSettings(listen=listen), tokens=False, insecure=True)
    check_exposure(Identity(tmp_path, mutual=True).settings, tokens=False, insecure=False)


def test_encryption_alone_is_no_authentication(identity: Identity):
    with pytest.raises(ListenError):
        check_exposure(replace(identity.settings, listen="0.0.0.0:0"), tokens=False, insecure=False)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.8.8.8:0", "[::1]:0", "localhost:0", "unix:/run/evalrpc.sock"]
)
def test_an_address_of_this_machine_needs_none(listen: str):
    check_exposure(RpcSettings(listen=listen), tokens=False, insecure=False)
