"""What happens below the handlers: ports, peers that freeze or vanish, sizes, request ids, broken requests."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from evalrpc_server.addresses import ListenError
from evalrpc_server.rpc.server import RpcServer
from evalrpc_server.rpc.settings import RpcSettings
from tests.processes import running
from tests.rpc.probe import DEADLINE, SERVICE, Probe, failing, serving

ANY = "127.0.0.1:0"


async def echo(request: StringValue, _context: object) -> StringValue:
    return request


class Endless:
    """A handler that streams once and then waits; it notes how it ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.closed_by: type[BaseException] | None = None

    async def __call__(self, _request: object, _context: object) -> AsyncIterator[StringValue]:
        try:
            yield StringValue(value="open")
            await asyncio.Event().wait()
        except BaseException as error:
            self.closed_by = type(error)
            raise
        finally:
            self.ended.set()

    async def stream(self, request: object, context: object) -> AsyncIterator[StringValue]:
        async for answer in self(request, context):
            yield answer


async def test_a_second_server_on_a_port_is_refused():
    async with serving(Unary=echo) as probe:
        second = RpcServer([], RpcSettings(listen=probe.address))
        with pytest.raises(ListenError, match=probe.address):
            await second.start()
        await second.stop(0)
        assert await probe.call("Unary", "first") == ["first"]


async def test_a_wrong_address_is_refused():
    with pytest.raises(ListenError):
        await RpcServer([], RpcSettings(listen="256.0.0.1:0")).start()


async def test_a_unix_socket_is_an_address_too(tmp_path: Path):
    address = f"unix:{tmp_path / 'rpc.sock'}"
    async with serving(settings=RpcSettings(listen=address), Unary=echo) as probe:
        assert probe.address == address
        assert await probe.call("Unary", "local") == ["local"]


async def test_the_port_is_free_again_after_stop():
    async with serving(Unary=echo) as probe:
        address = probe.address
    async with serving(settings=RpcSettings(listen=address), Unary=echo) as probe:
        assert await probe.call("Unary", "again") == ["again"]


async def test_stop_cuts_off_what_does_not_end_within_the_grace_period():
    endless = Endless()
    async with serving(ServerStream=endless.stream) as probe:
        stream = probe.method("ServerStream")(StringValue())
        await stream.read()
        await asyncio.wait_for(probe.server.stop(0.1), DEADLINE)
        assert (await failing(stream.read())).code == grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(endless.ended.wait(), DEADLINE)


async def test_a_frozen_peer_is_noticed_within_ten_seconds():
    endless = Endless()
    settings = RpcSettings(listen=ANY)
    assert settings.keepalive_time + settings.keepalive_timeout <= 10
    async with serving(settings=settings, ServerStream=endless.stream) as probe:
        command = [sys.executable, "-m", "tests.rpc.frozen", probe.address, f"/{SERVICE}/ServerStream"]
        with running(command) as caller:
            await asyncio.to_thread(caller.wait_for, "streaming")
            caller.signal(signal.SIGSTOP)
            try:
                await asyncio.wait_for(endless.ended.wait(), 10.0)
            finally:
                caller.signal(signal.SIGCONT)


async def test_a_killed_peer_is_noticed():
    endless = Endless()
    async with serving(ServerStream=endless.stream) as probe:
        command = [sys.executable, "-m", "tests.rpc.frozen", probe.address, f"/{SERVICE}/ServerStream"]
        with running(command) as caller:
            await asyncio.to_thread(caller.wait_for, "streaming")
            caller.signal(signal.SIGKILL)
            await asyncio.wait_for(endless.ended.wait(), DEADLINE)


async def test_an_idle_stream_outlives_its_callers_pings():
    """At a fiftieth of the usual intervals: as many pings in 1.2 s as in a minute at every 10 s, ten times over."""
    go = asyncio.Event()

    async def waiting(_request: object, _context: object) -> AsyncIterator[StringValue]:
        yield StringValue(value="open")
        await go.wait()
        yield StringValue(value="alive")

    settings = RpcSettings(listen=ANY, keepalive_time=0.1, keepalive_timeout=3.0, min_ping_interval=0.01)
    options = [
        ("grpc.keepalive_time_ms", 20),
        ("grpc.keepalive_timeout_ms", 3000),
        ("grpc.http2.ping_timeout_ms", 3000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    async with (
        serving(settings=settings, ServerStream=waiting) as probe,
        grpc.aio.insecure_channel(probe.address, options=options) as channel,
    ):
        stream = Probe(probe.server, probe.address, channel).method("ServerStream")(StringValue())
        await stream.read()
        await asyncio.sleep(1.2)  # the pings of the caller's transport cannot be waited for by an event
        go.set()
        assert (await asyncio.wait_for(stream.read(), DEADLINE)).value == "alive"


def test_callers_may_ping_every_ten_seconds():
    assert RpcSettings().min_ping_interval < 10


async def test_a_request_above_the_limit_is_refused_and_the_server_goes_on():
    async with serving(Unary=echo) as probe:
        failed = await failing(probe.call("Unary", "x" * (4 * 1024 * 1024)))
        assert failed.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await probe.call("Unary", "small") == ["small"]


async def test_a_message_of_the_limit_is_taken():
    text = "x" * (4 * 1024 * 1024 - 16)
    async with serving(Unary=echo) as probe:
        assert await probe.call("Unary", text) == [text]


async def test_metadata_above_the_limit_is_refused_and_the_server_goes_on():
    async with serving(Unary=echo) as probe:
        failed = await failing(probe.call("Unary", metadata=[("note", "x" * 20_000)]))
        assert failed.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await probe.call("Unary", "small") == ["small"]


@pytest.mark.parametrize("key", ["evalrpc-request-id", "x-request-id"])
async def test_the_callers_request_id_comes_back_in_the_trailers(key: str):
    async with serving(Unary=echo) as probe:
        call = probe.method("Unary")(StringValue(), metadata=[(key, "mine-1")])
        await call
        assert dict(await call.trailing_metadata())["evalrpc-request-id"] == "mine-1"


@pytest.mark.parametrize("offered", ["", "with space", "x" * 200, "semi;colon"])
async def test_an_unfit_request_id_is_replaced(offered: str):
    async with serving(Unary=echo) as probe:
        call = probe.method("Unary")(StringValue(), metadata=[("evalrpc-request-id", offered)])
        await call
        assert str(dict(await call.trailing_metadata())["evalrpc-request-id"]).startswith("req_")


async def test_errors_carry_the_request_id_too():
    async def broken(_request: object, _context: object) -> StringValue:
        raise ValueError

    async with serving(Unary=broken) as probe:
        call = probe.method("Unary")(StringValue(), metadata=[("evalrpc-request-id", "mine-2")])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        trailers = dict(caught.value.trailing_metadata() or ())
        assert trailers["evalrpc-request-id"] == "mine-2"
        assert "grpc-status-details-bin" in trailers


async def test_a_cancelled_stream_is_cleaned_up_however_it_ends():
    """Some of many handlers end by GeneratorExit instead of CancelledError: those that wait in a write."""
    handlers: list[Endless] = []

    async def flooding(request: StringValue, context: object) -> AsyncIterator[StringValue]:
        handler = Endless()
        handlers.append(handler)
        try:
            if request.value == "wait":
                async for answer in handler(request, context):
                    yield answer
            while True:
                yield StringValue(value="x" * 100_000)
        except BaseException as error:
            handler.closed_by = type(error)
            raise
        finally:
            handler.ended.set()

    async with serving(ServerStream=flooding) as probe:
        for number in range(40):
            stream = probe.method("ServerStream")(StringValue(value="wait" if number % 2 else "flood"))
            await stream.read()
            stream.cancel()
        await asyncio.wait_for(asyncio.gather(*(handler.ended.wait() for handler in handlers)), DEADLINE)
        assert {handler.closed_by for handler in handlers} <= {asyncio.CancelledError, GeneratorExit}


async def test_a_cut_stream_of_requests_never_looks_complete():
    ends: list[str] = []
    received = asyncio.Event()
    ended = asyncio.Event()

    async def collecting(requests: AsyncIterator[StringValue], _context: object) -> StringValue:
        try:
            async for _ in requests:
                received.set()
            ends.append("complete")
        except asyncio.CancelledError:
            ends.append("cut")
            raise
        finally:
            ended.set()
        return StringValue()

    async with serving(ClientStream=collecting) as probe:
        for _ in range(50):
            call = probe.method("ClientStream")()
            await call.write(StringValue(value="part"))
            await asyncio.wait_for(received.wait(), DEADLINE)
            call.cancel()
            await asyncio.wait_for(ended.wait(), DEADLINE)
            received.clear()
            ended.clear()
        assert ends == ["cut"] * 50
        await probe.call("ClientStream", "all")
        assert ends[-1] == "complete"


def call_path(address: str, path: bytes) -> None:
    """Calls a method by the bytes of its path over a connection of its own, and waits until that is answered or closed."""
    host, _, port = address.rpartition(":")
    config = h2.config.H2Configuration(
        client_side=True, header_encoding=None, validate_outbound_headers=False
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    headers: list[Any] = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    connection.send_headers(1, headers)
    connection.send_data(1, b"\0\0\0\0\0", end_stream=True)
    answers = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as peer:
        peer.sendall(connection.data_to_send())
        with contextlib.suppress(
            h2.exceptions.ProtocolError
        ):  # frames behind a GOAWAY are none of its concern
            while data := peer.recv(65536):
                if any(isinstance(event, answers) for event in connection.receive_data(data)):
                    return
                peer.sendall(connection.data_to_send())


@pytest.mark.parametrize("path", [b"/\xff\xfe/x", b"/", b"none", b"/a" * 3000, b"/\x01"])
async def test_no_method_name_takes_the_server_down(path: bytes):
    endless = Endless()
    async with serving(Unary=echo, ServerStream=endless.stream) as probe:
        stream = probe.method("ServerStream")(StringValue())
        await stream.read()
        await asyncio.to_thread(call_path, probe.address, path)
        answer: list[str] = []
        async with asyncio.timeout(DEADLINE):
            while not answer:
                async with grpc.aio.insecure_channel(
                    probe.address, options=[("grpc.use_local_subchannel_pool", 1)]
                ) as channel:
                    try:
                        answer = await Probe(probe.server, probe.address, channel).call("Unary", "alive")
                    except grpc.aio.AioRpcError as error:
                        assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017  it may, for a moment
        assert answer == ["alive"]
        assert not endless.ended.is_set()
        stream.cancel()
        await asyncio.wait_for(endless.ended.wait(), DEADLINE)
