"""Errors on the wire: what a failed request becomes as a `google.rpc.Status` (AIP-193).

Trailers share one limit of headers, of which peers accept 8 KiB for sure; so every text and the whole are bounded here.
"""

from __future__ import annotations

from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

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
from evalrpc_server.store.port import StoreError, StoreFullError

DOMAIN = "evalrpc.dev"
"""The domain of every `ErrorInfo` of this server."""

STATUS_KEY = "grpc-status-details-bin"
"""The trailer that carries the serialized `google.rpc.Status`."""

MAX_STATUS_BYTES = 4608
"""The largest serialized Status: 6 KiB as base64, which leaves 2 KiB for the message and the other trailers."""

_MAX_MESSAGE_BYTES = 1024  # percent-encoded, as it travels in `grpc-message`
_MAX_METADATA_CHARACTERS = 256
_MAX_METADATA_ENTRIES = 16
_STORE_RETRY_SECONDS = 5.0

_BY_REASON = {
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.WORKER_UNRESPONSIVE: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_BY_CLASS: tuple[tuple[type[RequestError], grpc.StatusCode], ...] = (
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (AlreadyExistsError, grpc.StatusCode.ALREADY_EXISTS),
    (PreconditionError, grpc.StatusCode.FAILED_PRECONDITION),
    (OutOfRangeError, grpc.StatusCode.OUT_OF_RANGE),
    (UnsupportedError, grpc.StatusCode.UNIMPLEMENTED),
    (ExhaustedError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (RequestError, grpc.StatusCode.INVALID_ARGUMENT),
)


def code_of(error: RequestError) -> grpc.StatusCode:
    """Returns the status code of an error: by its reason where that decides, else by its class."""
    if code := _BY_REASON.get(error.reason):
        return code
    return next(code for kind, code in _BY_CLASS if isinstance(error, kind))


def status_of(error: RequestError) -> Status:
    """Returns an error as a Status of at most `MAX_STATUS_BYTES`, with ErrorInfo and what else AIP-193 asks for."""
    info = ErrorInfo(reason=str(error.reason), domain=DOMAIN)
    for key, value in list(error.metadata.items())[:_MAX_METADATA_ENTRIES]:
        info.metadata[key] = shortened(value, _MAX_METADATA_CHARACTERS)
    details: list[Message] = [info]
    if isinstance(error, UnavailableError):
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(RetryInfo(retry_delay=delay))
    status = Status(
        code=code_of(error).value[0],
        message=_message(error.message),
        details=[_packed(each) for each in details],
    )
    if isinstance(error, InvalidRequestError):
        status.details.append(_packed(_bad_request(error.violations, MAX_STATUS_BYTES - status.ByteSize())))
    while status.ByteSize() > MAX_STATUS_BYTES:
        info.metadata.popitem()
        status.details[0].CopyFrom(_packed(info))
    return status


def store_error(error: StoreError) -> UnavailableError:
    """Returns what a caller is told of a failure of the store."""
    if isinstance(error, StoreFullError):
        return ExhaustedError(
            Reason.STORE_FULL,
            "the server's store has no room left; nothing of this request was stored",
            retry_after=_STORE_RETRY_SECONDS,
        )
    return UnavailableError(
        Reason.STORE_UNAVAILABLE,
        "the server's store cannot be reached; nothing of this request was stored",
        retry_after=_STORE_RETRY_SECONDS,
    )


def internal_error(error_id: str) -> Status:
    """Returns what a caller is told of a bug: the id under which it stands in the log, and nothing else."""
    info = ErrorInfo(reason=str(Reason.INTERNAL), domain=DOMAIN, metadata={"error_id": error_id})
    message = f"The server failed to carry this out; its log tells why under {error_id}."
    return Status(code=grpc.StatusCode.INTERNAL.value[0], message=message, details=[_packed(info)])


def shortened(text: str, characters: int) -> str:
    """Returns a text that can be sent: without lone surrogates, and of at most so many characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _message(text: str) -> str:
    """Returns a text of which `grpc-message` takes at most `_MAX_MESSAGE_BYTES`."""
    characters = _MAX_MESSAGE_BYTES
    while (
        len(quote(message := shortened(text, characters), safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}~"))
        > _MAX_MESSAGE_BYTES
    ):
        characters = characters * 3 // 4
    return message


def _bad_request(violations: tuple[Violation, ...], limit: int) -> BadRequest:
    """Returns the violations within so many bytes: descriptions are cut first, then paths, and then their number."""
    request = BadRequest()
    for description, path in ((400, 200), (200, 200), (100, 120), (60, 80), (40, 40)):
        request = BadRequest(
            field_violations=[
                BadRequest.FieldViolation(
                    field=shortened(violation.path, path),
                    description=shortened(violation.description, description),
                )
                for violation in violations
            ]
        )
        if _fits(request, limit):
            break
    while not _fits(request, limit):
        del request.field_violations[-1]
    return request


def _fits(request: BadRequest, limit: int) -> bool:
    return _packed(request).ByteSize() + 4 <= limit  # its tag and length take up to 4


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
