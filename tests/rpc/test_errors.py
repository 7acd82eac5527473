"""What callers get when a request is not carried out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from evalrpc_server.domain.errors import (
    AlreadyExistsError,
    ExhaustedError,
    InvalidRequestError,
    NotFoundError,
    OutOfRangeError,
    PreconditionError,
    RequestError,
    UnavailableError,
    UnsupportedError,
    Violation,
)
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.errors import MAX_STATUS_BYTES
from evalrpc_server.store.port import StoreError, StoreFullError
from tests.processes import ROOT
from tests.rpc.probe import KINDS, SERVICE, Failure, Probe, failing, failure, serving

SECRET = "db password is hunter2"


def raising(error: Exception) -> Any:
    async def handler(_request: object, _context: object) -> StringValue:
        raise error

    return handler


async def fail_with(error: Exception) -> Failure:
    async with serving(Unary=raising(error)) as probe:
        return await failing(probe.call("Unary"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequestError([Violation("name", "must not be empty")]), grpc.StatusCode.INVALID_ARGUMENT),
        (RequestError(Reason.INVALID_PAGE_TOKEN, "no such token"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFoundError(Reason.EXPERIMENT_NOT_FOUND, "none"), grpc.StatusCode.NOT_FOUND),
        (AlreadyExistsError(Reason.REQUEST_ID_REUSED, "taken"), grpc.StatusCode.ALREADY_EXISTS),
        (PreconditionError(Reason.EXPERIMENT_NOT_ENDED, "runs"), grpc.StatusCode.FAILED_PRECONDITION),
        (OutOfRangeError(Reason.SEQUENCE_NOT_REACHED, "too far"), grpc.StatusCode.OUT_OF_RANGE),
        (UnsupportedError(Reason.NOT_IMPLEMENTED, "not here"), grpc.StatusCode.UNIMPLEMENTED),
        (UnavailableError(Reason.DRAINING, "gone", retry_after=5), grpc.StatusCode.UNAVAILABLE),
        (ExhaustedError(Reason.RATE_LIMITED, "slow", retry_after=5), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (RequestError(Reason.UNAUTHENTICATED, "who?"), grpc.StatusCode.UNAUTHENTICATED),
        (RequestError(Reason.PERMISSION_DENIED, "no"), grpc.StatusCode.PERMISSION_DENIED),
        (RequestError(Reason.WORKER_UNRESPONSIVE, "late"), grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
async def test_each_error_has_its_code_message_and_reason(error: RequestError, code: grpc.StatusCode):
    failed = await fail_with(error)
    assert (failed.code, failed.message) == (code, error.message)
    assert (failed.info.domain, failed.info.reason) == ("evalrpc.dev", error.reason)
    assert failed.status is not None
    assert (failed.status.code, failed.status.message) == (code.value[0], error.message)
    if isinstance(error, UnavailableError):
        assert failed.retry.retry_delay.ToTimedelta().total_seconds() == 5


@pytest.mark.parametrize(
    "reason", [Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED, Reason.WORKER_UNRESPONSIVE]
)
async def test_the_code_is_the_one_that_the_contract_documents(reason: Reason):
    failed = await fail_with(RequestError(reason, "no"))
    contract = (ROOT / "proto/evalrpc/v1/error_reason.proto").read_text(encoding="utf-8")
    documented = contract.partition(f"ERROR_REASON_{reason} =")[0].rpartition("\n\n")[2]
    assert documented.split("//", 1)[1].strip().startswith(f"{failed.code.name}.")


async def test_metadata_is_sent_with_the_reason():
    failed = await fail_with(NotFoundError(Reason.EXPERIMENT_NOT_FOUND, "none", experiment_id="exp_1"))
    assert dict(failed.info.metadata) == {"experiment_id": "exp_1"}


async def test_every_violation_is_named_by_its_path():
    violations = [Violation(f"experiment.evaluators[{n}].name", f"is wrong, {n}") for n in range(20)]
    failed = await fail_with(InvalidRequestError(violations))
    assert [(each.field, each.description) for each in failed.bad_request.field_violations] == [
        (each.path, each.description) for each in violations
    ]


@pytest.mark.parametrize("letter", ["x", "é", "😀", "%", "\n", "\ud800"])
async def test_twenty_long_violations_fit_into_the_headers_that_a_caller_accepts(letter: str):
    violations = [Violation(f"experiment.evaluators[{n}].{letter * 500}", letter * 5000) for n in range(20)]
    failed = await fail_with(InvalidRequestError(violations))
    assert failed.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.status is not None
    assert failed.status.ByteSize() <= MAX_STATUS_BYTES
    fields = [each.field for each in failed.bad_request.field_violations]
    assert fields
    assert all(field.startswith(f"experiment.evaluators[{n}]") for n, field in enumerate(fields))
    if letter in "x%\n":
        assert len(fields) == 20


async def test_long_metadata_and_messages_are_cut_to_fit():
    long = {f"key_{n}": "é" * 9000 for n in range(40)}
    failed = await fail_with(NotFoundError(Reason.EXPERIMENT_NOT_FOUND, "é" * 9000, **long))
    assert failed.code == grpc.StatusCode.NOT_FOUND
    assert failed.info.reason == Reason.EXPERIMENT_NOT_FOUND
    assert failed.message.startswith("éé")


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (StoreError(SECRET), grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE),
        (StoreFullError(SECRET), grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.STORE_FULL),
    ],
)
async def test_a_failing_store_is_told_without_its_own_words(
    error: StoreError, code: grpc.StatusCode, reason: Reason, caplog: pytest.LogCaptureFixture
):
    failed = await fail_with(error)
    assert (failed.code, failed.info.reason) == (code, reason)
    assert failed.retry.retry_delay.seconds > 0
    assert SECRET not in failed.text
    assert SECRET in caplog.text


async def broken_unary(_request: StringValue, _context: object) -> StringValue:
    raise ValueError(SECRET)


async def broken_server_stream(_request: StringValue, _context: object) -> AsyncIterator[StringValue]:
    yield StringValue(value="first")
    raise ValueError(SECRET)


async def broken_client_stream(requests: AsyncIterator[StringValue], _context: object) -> StringValue:
    async for _ in requests:
        raise ValueError(SECRET)
    raise AssertionError


async def broken_bidi(requests: AsyncIterator[StringValue], _context: object) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield request
        raise ValueError(SECRET)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_text_of_a_bug_stays_in_the_log_under_the_id_that_the_caller_gets(
    kind: str, caplog: pytest.LogCaptureFixture
):
    async with serving(
        Unary=broken_unary,
        ServerStream=broken_server_stream,
        ClientStream=broken_client_stream,
        Bidi=broken_bidi,
    ) as probe:
        failed = await failing(probe.call(kind, "a", "b"))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "hunter2" not in failed.text
        assert "ValueError" not in failed.text
        logged = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [vars(record)["error_id"] for record in logged] == [failed.info.metadata["error_id"]]
        assert SECRET in caplog.text


async def test_a_stream_that_breaks_has_delivered_what_came_before():
    async with serving(ServerStream=broken_server_stream) as probe:
        call = probe.method("ServerStream")(StringValue())
        assert (await call.read()).value == "first"
        assert (await failing(call.read())).code == grpc.StatusCode.INTERNAL


async def test_an_answer_that_cannot_be_encoded_is_a_bug_like_any_other():
    async def wrong_type(_request: object, _context: object) -> str:
        return SECRET

    async with serving(Unary=wrong_type) as probe:
        failed = await failing(probe.call("Unary"))
        assert failed.code == grpc.StatusCode.INTERNAL
        assert "hunter2" not in failed.text


async def test_what_a_handler_aborts_with_is_left_as_it_is():
    async def aborting(_request: object, context: grpc.aio.ServicerContext[Any, Any]) -> StringValue:
        await context.abort(grpc.StatusCode.DATA_LOSS, "as it is")

    async with serving(Unary=aborting) as probe:
        failed = await failing(probe.call("Unary"))
        assert (failed.code, failed.message) == (grpc.StatusCode.DATA_LOSS, "as it is")


async def echo(request: StringValue, _context: object) -> StringValue:
    return request


async def count(requests: AsyncIterator[StringValue], _context: object) -> StringValue:
    return StringValue(value=str(len([request async for request in requests])))


async def echo_all(requests: AsyncIterator[StringValue], _context: object) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield request


async def call_raw(probe: Probe, kind: str, *messages: bytes) -> object:
    streaming = kind in {"ClientStream", "Bidi"}
    call = probe.method(kind, raw=True)(iter(messages) if streaming else messages[-1])
    return [response async for response in call] if kind in {"ServerStream", "Bidi"} else await call


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_that_are_no_message_are_an_invalid_argument(kind: str):
    async with serving(
        Unary=echo, ServerStream=broken_server_stream, ClientStream=count, Bidi=echo_all
    ) as probe:
        failed = await failing(call_raw(probe, kind, b"", b"\xff\xff\xff"))
        assert failed.code == grpc.StatusCode.INVALID_ARGUMENT
        assert failed.info.reason == Reason.UNDECODABLE_REQUEST
        assert failed.info.metadata["method"] == f"/{SERVICE}/{kind}"


async def test_the_server_goes_on_after_bytes_that_are_no_message():
    async with serving(Unary=echo) as probe:
        await failing(call_raw(probe, "Unary", b"\xff"))
        assert await probe.call("Unary", "still here") == ["still here"]


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
async def test_methods_that_nobody_has_overridden_are_not_implemented(kind: str):
    def generated(_request: object, context: grpc.ServicerContext) -> None:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        raise NotImplementedError("Method not implemented!")

    handlers: dict[str, Any] = {kind: generated}
    async with serving(**handlers) as probe:
        failed = await failing(probe.call(kind))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED)
        assert failed.info.metadata["feature"] == f"{SERVICE}/{kind}"


async def test_methods_that_do_not_exist_are_not_implemented_either():
    async with serving(Unary=echo) as probe:
        call: Any = probe.channel.unary_unary(f"/{SERVICE}/Missing")
        failed = await failing(call(b""))
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED)
        assert failed.info.metadata["feature"] == f"{SERVICE}/Missing"


async def test_a_server_stream_may_fail_before_its_first_answer():
    async def refusing(_request: object, _context: object) -> AsyncIterator[StringValue]:
        raise NotFoundError(Reason.EXPERIMENT_NOT_FOUND, "none")
        yield StringValue()

    async with serving(ServerStream=refusing) as probe:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await probe.call("ServerStream")
        assert failure(caught.value).info.reason == Reason.EXPERIMENT_NOT_FOUND
