from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.outbound.settings import OutboundSettings
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.registry import open_target
from tests.standins.endpoints import Endpoints, refused_url
from tests.standins.grpc_endpoints import GrpcEndpoints
from tests.targets.resources import resources

SECRETS = Secrets(environment={"EVALRPC_SECRET_TOKEN": "s3cr3t-token"})


@pytest.fixture
async def endpoints():
    async with GrpcEndpoints() as running:
        yield running


def make_call(item_id: str = "a", **fields: Any) -> TaskCall:
    return TaskCall(
        experiment=ExperimentRef(id="exp_1", name="Geography", run_name="run 1"),
        item=Item(index=0, id=item_id, input=Document('{"q": 1.10, "big": 12345678901234567890}'), **fields),
        trial=2,
        attempt=1,
        timeout=30,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
    )


async def run(
    address: str, call: TaskCall, *, settings: OutboundSettings | None = None, **spec: Any
) -> TaskAnswer:
    outbound = Outbound(settings, SECRETS)
    target = open_target(TaskSpec.model_validate({"grpc": {"target": address, **spec}}), resources(outbound))
    try:
        return await target.call(call)
    finally:
        await target.aclose()
        await outbound.aclose()


async def failure(address: str, call: TaskCall, **spec: Any) -> TaskError:
    with pytest.raises(TaskError) as raised:
        await run(address, call, **spec)
    return raised.value


async def test_the_request_carries_the_item(endpoints):
    call = make_call(metadata=Document('{"k": [1]}'), expected_output=Document('"Paris"'))
    answer = await run(endpoints.address, call, metadata={"X-App": "geo", "blob-bin": "AAEC"})
    assert answer == TaskAnswer(output=call.item.input)
    (request,), (metadata,) = endpoints.requests, endpoints.metadata
    assert request.input.text == call.item.input
    assert request.metadata.text == '{"k": [1]}'
    assert (request.item_id, request.trial) == ("a", 2)
    assert (request.experiment.id, request.experiment.run_name) == ("exp_1", "run 1")
    assert not request.HasField("expected_output")
    assert metadata["x-app"] == "geo"
    assert metadata["blob-bin"] == b"\x00\x01\x02"
    assert metadata["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert (
        metadata["baggage"]
        == "evalrpc.experiment_id=exp_1,evalrpc.experiment_name=Geography,evalrpc.item_id=a"
    )


async def test_the_expected_output_is_sent_when_asked_for(endpoints):
    call = make_call(expected_output=Document('"Paris"'))
    await run(endpoints.address, call, include_expected_output=True)
    assert endpoints.requests[0].expected_output.text == '"Paris"'


async def test_all_parts_of_an_answer_are_read(endpoints):
    assert await run(endpoints.address, make_call("full")) == TaskAnswer(
        output=Document('{"a": 1.10}'),
        contexts=(Context(text="t", id="1", source="s", score=0.5), Context(text="u")),
        usage=Usage(input_tokens=3, cost_usd=0.5, model="m"),
        metadata=Document('{"k": 1}'),
    )


async def test_no_output_is_null(endpoints):
    assert await run(endpoints.address, make_call("null")) == TaskAnswer(output=Document("null"))


@pytest.mark.parametrize(
    ("item_id", "reason", "field"),
    [
        ("not-json", "TASK_INVALID_ANSWER", "output"),
        ("nan-score", "TASK_INVALID_ANSWER", "contexts[0].score"),
        ("negative-tokens", "TASK_INVALID_ANSWER", "usage.input_tokens"),
        ("list-metadata", "TASK_INVALID_ANSWER", "metadata"),
        ("too-large", "PAYLOAD_TOO_LARGE", None),
        ("5-mib", "PAYLOAD_TOO_LARGE", None),
    ],
)
async def test_unusable_answers_have_a_reason(endpoints, item_id, reason, field):
    failed = await failure(endpoints.address, make_call(item_id))
    assert failed.error.reason == reason
    assert failed.error.metadata.get("field") == field
    assert not failed.error.retryable


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("unavailable", True),
        ("resource-exhausted", True),
        ("aborted", True),
        ("deadline-exceeded", False),
        ("invalid-argument", False),
        ("not-found", False),
        ("internal", False),
        ("unknown", False),
        ("unimplemented", False),
        ("permission-denied", False),
    ],
)
async def test_statuses_are_told_apart(endpoints, code, retryable):
    failed = await failure(endpoints.address, make_call(code))
    assert failed.error.reason == "TASK_GRPC_STATUS"
    assert failed.error.retryable is retryable
    assert failed.error.metadata["code"] == code.upper().replace("-", "_")
    assert failed.error.metadata["details"] == "went wrong; received nothing"
    assert failed.error.metadata["endpoint"] == endpoints.address


async def test_retry_info_is_honoured(endpoints):
    failed = await failure(endpoints.address, make_call("retry-info"))
    assert failed.error.retryable
    assert failed.retry_after == 7


@pytest.mark.parametrize(("code", "throttles"), [("resource-exhausted", True), ("unavailable", False)])
async def test_exhausted_resources_limit_the_endpoint(endpoints, code, throttles):
    outbound = Outbound()
    target = open_target(
        TaskSpec.model_validate({"grpc": {"target": endpoints.address}}), resources(outbound)
    )
    with pytest.raises(TaskError):
        await target.call(make_call(code))
    assert [limit.endpoint for limit in outbound.limits()] == [endpoints.address] * throttles
    await target.aclose()
    await outbound.aclose()


async def test_a_closed_port_is_unreachable():
    failed = await failure(refused_url("").removeprefix("http://"), make_call())
    assert failed.error.reason == "TASK_UNREACHABLE"
    assert failed.error.metadata["cause"] == "connection refused"
    assert failed.error.retryable


async def test_an_http_server_is_unreachable():
    async with Endpoints() as http:
        failed = await failure(f"127.0.0.1:{http.port}", make_call())
    assert failed.error.reason == "TASK_UNREACHABLE"


async def test_a_server_that_stops_is_retryable(endpoints):
    async def stop() -> None:
        await endpoints.until(lambda: endpoints.in_flight == 1)
        await endpoints.server.stop(None)

    stopping = asyncio.create_task(stop())
    failed = await failure(endpoints.address, make_call("hang"))
    await stopping
    assert failed.error.retryable


async def test_a_call_that_is_cut_off_is_cancelled_at_the_endpoint(endpoints):
    calling = asyncio.create_task(run(endpoints.address, make_call("hang")))
    await endpoints.until(lambda: endpoints.in_flight == 1)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await endpoints.until(lambda: endpoints.cancelled == 1)


async def test_secrets_are_resolved_and_not_kept(endpoints):
    metadata = {"Authorization": "Bearer ${secret:TOKEN}"}
    answer = await run(endpoints.address, make_call("echo"), metadata=metadata)
    assert endpoints.metadata[0]["authorization"] == "Bearer s3cr3t-token"
    assert answer.output == '"Bearer [redacted]"'
    assert answer.contexts == (Context(text="Bearer [redacted]"),)
    failed = await failure(endpoints.address, make_call("internal"), metadata=metadata)
    assert failed.error.metadata["details"] == "went wrong; received Bearer [redacted]"
    assert "s3cr3t" not in failed.error.message


async def test_a_missing_secret_is_named(endpoints):
    failed = await failure(endpoints.address, make_call(), metadata={"x": "${secret:NONE}"})
    assert failed.error.reason == "SECRET_NOT_FOUND"
    assert endpoints.requests == []


async def test_a_refused_address_is_not_called(endpoints):
    settings = OutboundSettings(check_address=lambda _host, ip, _port: f"{ip} is private")
    failed = await failure(endpoints.address, make_call(), settings=settings)
    assert failed.error.reason == "OUTBOUND_REFUSED"
    assert "127.0.0.1 is private" in failed.error.message
    assert endpoints.requests == []


async def test_an_allowed_name_is_called_at_the_address_that_was_checked(endpoints):
    seen = []

    def check(host: str, ip: str, port: int) -> str | None:
        seen.append((host, ip, port))
        return "no IPv6" if ":" in ip else None

    port = int(endpoints.address.rpartition(":")[2])
    answer = await run(f"localhost:{port}", make_call(), settings=OutboundSettings(check_address=check))
    assert answer.output
    assert ("localhost", "127.0.0.1", port) in seen
