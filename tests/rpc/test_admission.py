"""Who is let in: as many as there is room for, until the server shuts down; health checks always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.settings import RpcSettings
from tests.rpc.probe import DEADLINE, SERVICE, Probe, failing, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def echo(request: StringValue, _context: object) -> StringValue:
    return request


async def endless(_request: object, _context: object) -> AsyncIterator[StringValue]:
    yield StringValue(value="open")
    await asyncio.Event().wait()


def health_stub(probe: Probe) -> Any:
    return health_pb2_grpc.HealthStub(probe.channel)


async def list_services(probe: Probe) -> set[str]:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(probe.channel)  # type: ignore[arg-type]  # it takes either channel
    answers = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return {service.name for service in (await answers.read()).list_services_response.service}


async def health(probe: Probe, service: str = "") -> int:
    answer: health_pb2.HealthCheckResponse = await health_stub(probe).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE
    )
    return answer.status


def limited(rpcs: int) -> RpcSettings:
    return RpcSettings(listen="127.0.0.1:0", max_open_rpcs=rpcs)


async def test_more_rpcs_than_allowed_are_refused_and_told_when_to_come_back():
    async with serving(settings=limited(2), Unary=echo, ServerStream=endless) as probe:
        streams = [probe.method("ServerStream")(StringValue()) for _ in range(2)]
        for stream in streams:
            await stream.read()
        failed = await failing(probe.call("Unary"))
        assert failed.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (failed.info.reason, failed.info.metadata["limit"]) == (Reason.TOO_MANY_RPCS, "2")
        assert failed.retry.retry_delay.ToMilliseconds() > 0
        for stream in streams:
            stream.cancel()


async def test_health_checks_and_reflection_are_let_in_when_nobody_else_is():
    async with serving(settings=limited(1), ServerStream=endless) as probe:
        stream = probe.method("ServerStream")(StringValue())
        await stream.read()
        assert await health(probe) == SERVING
        assert SERVICE in await list_services(probe)
        stream.cancel()


async def test_a_place_is_free_again_when_its_caller_has_gone():
    closed = asyncio.Event()

    async def until_closed(_request: object, _context: object) -> AsyncIterator[StringValue]:
        try:
            async for answer in endless(_request, _context):
                yield answer
        finally:
            closed.set()

    async with serving(settings=limited(1), Unary=echo, ServerStream=until_closed) as probe:
        stream = probe.method("ServerStream")(StringValue())
        await stream.read()
        stream.cancel()
        await asyncio.wait_for(closed.wait(), DEADLINE)
        assert await probe.call("Unary", "in") == ["in"]


async def test_a_place_is_free_again_after_every_kind_of_end():
    async def broken(_request: object, _context: object) -> StringValue:
        raise ValueError

    async with serving(settings=limited(1), Unary=broken, ClientStream=broken) as probe:
        for _ in range(5):
            assert (await failing(probe.call("Unary"))).code == grpc.StatusCode.INTERNAL
            assert (await failing(probe.call("ClientStream"))).code == grpc.StatusCode.INTERNAL


async def test_a_draining_server_refuses_new_calls_and_finishes_open_ones():
    go = asyncio.Event()

    async def waiting(_request: object, _context: object) -> AsyncIterator[StringValue]:
        yield StringValue(value="begun")
        await go.wait()
        yield StringValue(value="finished")

    async with serving(Unary=echo, ServerStream=waiting) as probe:
        stream = probe.method("ServerStream")(StringValue())
        await stream.read()
        await probe.server.drain()
        failed = await failing(probe.call("Unary"))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)
        assert failed.retry.retry_delay.ToMilliseconds() > 0
        go.set()
        assert (await stream.read()).value == "finished"
        assert await stream.code() == grpc.StatusCode.OK


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_is_watched_per_service_and_ends_with_the_draining(service: str):
    async with serving(Unary=echo) as probe:
        watch = health_stub(probe).Watch(health_pb2.HealthCheckRequest(service=service))
        assert (await watch.read()).status == SERVING
        await probe.server.drain()
        while (await asyncio.wait_for(watch.read(), DEADLINE)).status != NOT_SERVING:
            pass
        assert await health(probe, service) == NOT_SERVING
        watch.cancel()


async def test_health_of_an_unknown_service_is_not_found():
    async with serving(Unary=echo) as probe:
        check = health_stub(probe).Check(health_pb2.HealthCheckRequest(service="none"))
        assert (await failing(check)).code == grpc.StatusCode.NOT_FOUND


async def test_reflection_can_be_switched_off():
    async with serving(settings=RpcSettings(listen="127.0.0.1:0", reflection=False), Unary=echo) as probe:
        assert (await failing(list_services(probe))).code == grpc.StatusCode.UNIMPLEMENTED
