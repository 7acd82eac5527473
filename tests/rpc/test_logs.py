"""What is logged of RPCs."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evalrpc_server.logs import LogFormat, Logs, bind
from tests.rpc.probe import SERVICE, failing, serving


async def echo(request: StringValue, _context: object) -> StringValue:
    logging.getLogger("inside").info("handling")
    return request


async def broken(_request: object, _context: object) -> StringValue:
    raise ValueError("on purpose")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_every_rpc_has_one_line_that_says_who_called_what_and_how_it_ended():
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(Unary=echo) as probe:
            metadata = [("evalrpc-request-id", "mine"), ("evalrpc-client", "python/0.1.0")]
            await probe.call("Unary", metadata=metadata)
    [inside, line] = lines(stream)
    assert (line["rpc_method"], line["rpc_code"]) == (f"{SERVICE}/Unary", "OK")
    assert (line["request_id"], line["client"], line["user"]) == ("mine", "python/0.1.0", "")
    assert (line["received"], line["sent"]) == (1, 1)
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["duration_ms"] >= 0
    assert (inside["message"], inside["request_id"]) == ("handling", "mine")


async def test_a_bug_is_logged_with_its_traceback_beside_the_line_of_the_call():
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(Unary=broken) as probe:
            failed = await failing(probe.call("Unary"))
    [bug, line] = lines(stream)
    assert bug["error_id"] == failed.info.metadata["error_id"]
    assert "ValueError: on purpose" in bug["exception"]
    assert (bug["level"], bug["request_id"]) == ("error", line["request_id"])
    assert line["rpc_code"] == "INTERNAL"


@pytest.mark.parametrize(("level", "expected"), [(logging.INFO, 0), (logging.DEBUG, 1)])
async def test_health_checks_are_logged_at_debug_level_only(level: int, expected: int):
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON, level=level):
        async with serving() as probe:
            stub: Any = health_pb2_grpc.HealthStub(probe.channel)
            await stub.Check(health_pb2.HealthCheckRequest())
    assert len([line for line in lines(stream) if "rpc_method" in line]) == expected


async def test_calls_do_not_share_what_is_bound():
    stream = io.StringIO()

    async def binding(request: StringValue, _context: object) -> StringValue:
        if request.value:
            bind(experiment_id=request.value)
        return request

    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(Unary=binding) as probe:
            await probe.call("Unary", "exp_1")
            await probe.call("Unary", "")
    assert [line.get("experiment_id") for line in lines(stream)] == ["exp_1", None]


async def test_a_hostile_caller_cannot_forge_lines():
    stream = io.StringIO()
    with Logs(stream=stream, form=LogFormat.JSON):
        async with serving(Unary=echo) as probe:
            call: Any = probe.channel.unary_unary("/a\n{}/b")
            assert (await failing(call(b""))).code == grpc.StatusCode.UNIMPLEMENTED
            await probe.call("Unary", metadata=[("evalrpc-client", "x" * 5000)])
    assert all(isinstance(line, dict) for line in lines(stream))
    assert len(lines(stream)[-1]["client"]) <= 64
