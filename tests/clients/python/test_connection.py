"""How the clients connect: who they say they are, encryption, time-outs, retries."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import pytest
import trustme

from evalrpc import (
    Client,
    DeadlineExceededError,
    InternalError,
    InvalidRequestError,
    ServerUnreachableError,
    Tls,
    UnavailableError,
    __version__,
)
from tests.clients.python.conftest import Connect
from tests.clients.python.scripted import Scripted, cut, refuse, scripted


def test_every_call_says_who_calls(
    connect: Connect, script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(script.address, token="secret").get("x")
    monkeypatch.setenv("EVALRPC_ADDRESS", script.address)
    monkeypatch.setenv("EVALRPC_TOKEN", "from the environment")
    connect().get("x")
    assert [each["authorization"] for each in script.metadata] == [
        "Bearer secret",
        "Bearer from the environment",
    ]
    assert {each["evalrpc-client"] for each in script.metadata} == {f"python/{__version__}"}


def test_a_connection_is_encrypted_on_both_sides_certificates(connect: Connect, tmp_path: Path) -> None:
    authority = trustme.CA()
    identity, own = authority.issue_cert("localhost"), authority.issue_cert("client@example.org")
    root, chain = authority.cert_pem.bytes(), identity.cert_chain_pems[0].bytes()
    credentials = grpc.ssl_server_credentials(
        [(identity.private_key_pem.bytes(), chain)], root_certificates=root, require_client_auth=True
    )
    (tmp_path / "ca.pem").write_bytes(root)
    with scripted(credentials) as server:
        good = Tls(
            root_certificates=tmp_path / "ca.pem",
            client_certificate=own.cert_chain_pems[0].bytes(),
            client_key=own.private_key_pem.bytes(),
        )
        assert connect(server.address, tls=good).get("x").id == "x"
        assert connect(f"https://{server.address}", tls=good).get("x").id == "x"
        for bad in (Tls(root_certificates=root), True, False):
            with pytest.raises(UnavailableError):
                connect(server.address, tls=bad).get("x")


def test_a_call_has_a_time_limit(connect: Connect, script: Scripted) -> None:
    script.answers = [_until_over]
    with pytest.raises(DeadlineExceededError):
        connect(script.address, timeout=0.2).get("x")


def test_a_call_that_is_safe_to_repeat_is_repeated(connect: Connect, script: Scripted) -> None:
    script.answers = [cut(), refuse(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_after=0)]
    assert connect(script.address).get("x").id == "x"
    assert len(script.metadata) == 3


def test_repeating_ends(connect: Connect, script: Scripted) -> None:
    script.answers = [cut() for _ in range(10)]
    with pytest.raises(UnavailableError):
        connect(script.address).get("x")
    assert len(script.metadata) == 4


def test_other_failures_are_not_repeated(connect: Connect, script: Scripted) -> None:
    script.answers = [refuse(grpc.StatusCode.INTERNAL, "INTERNAL", error_id="err_1")]
    with pytest.raises(InternalError) as caught:
        connect(script.address).get("x")
    assert caught.value.metadata == {"error_id": "err_1"}
    assert len(script.metadata) == 1


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_an_unreachable_server_is_named_with_the_way_to_start_one(address: str) -> None:
    with Client(address) as client, pytest.raises(ServerUnreachableError) as caught:
        client.get("x")
    assert f"no evalrpc server can be reached at {address} (" in caught.value.message
    assert f"`evalrpc-server serve --listen {address}`" in caught.value.message


def test_errors_are_also_what_python_calls_them(connect: Connect) -> None:
    with pytest.raises(ConnectionError):
        connect("127.0.0.1:1").get("x")
    with pytest.raises(ValueError, match="host:port"):
        connect("http://127.0.0.1:1/path")
    with pytest.raises(InvalidRequestError, match="both"):
        connect(tls=Tls(client_key=b"x"))


def _until_over(context: grpc.ServicerContext) -> None:
    deadline = time.monotonic() + 30
    while context.is_active() and time.monotonic() < deadline:
        time.sleep(0.01)
