"""Errors of calls, as exceptions that tell why, where and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from evalrpc._convert.values import to_seconds

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names of this machine, as addresses spell them."""

_STATUS_KEY = "grpc-status-details-bin"
_REQUEST_ID_KEY = "evalrpc-request-id"
_UNREACHABLE = re.compile(
    r"failed to connect|DNS resolution failed|Name resolution failure|no addresses", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request: its path, such as `experiment.evaluators[2].http.url`, and what is wrong with it."""

    path: str
    description: str

    def __str__(self) -> str:
        """The path and what is wrong, on one line."""
        return f"{self.path}: {self.description}" if self.path else self.description


class EvalrpcError(Exception):
    """A call that failed. Its subclasses say how; `reason` and `metadata` say why in a stable form.

    Attributes:
        message: one sentence for a person.
        code: the gRPC status code's name, such as "INVALID_ARGUMENT".
        reason: a stable name, such as "EXPERIMENT_NOT_FOUND"; None if the error does not come from an evalrpc server.
        metadata: the facts in the message, by name.
        violations: the wrong fields, up to 20.
        retry_after: seconds after which the server suggests to try again.
        request_id: under which the call stands in the server's log.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.request_id = request_id


class InvalidRequestError(EvalrpcError, ValueError):
    """The request is wrong; `violations` names the fields. Some of them are found before anything is sent."""


class NotFoundError(EvalrpcError, LookupError):
    """Something that the request names does not exist."""


class AlreadyExistsError(EvalrpcError):
    """The request id belongs to an experiment of other content."""


class FailedPreconditionError(EvalrpcError):
    """The request is right, and the server is not in the state for it."""


class OutOfRangeError(EvalrpcError):
    """The events asked for are no longer kept, or have not happened."""


class UnauthenticatedError(EvalrpcError):
    """The call carries no valid token or client certificate."""


class PermissionDeniedError(EvalrpcError):
    """The token is valid and does not allow this call."""


class ResourceExhaustedError(EvalrpcError):
    """A limit is reached: open calls, a rate, the store's room, the size of a message."""


class UnavailableError(EvalrpcError, ConnectionError):
    """No server answers, or it is about to shut down."""


class ServerUnreachableError(UnavailableError):
    """There is no connection to the server at all: nothing listens, the name is unknown, or TLS failed."""


class DeadlineExceededError(EvalrpcError, TimeoutError):
    """No answer came within the call's time-out."""


class NotImplementedByServerError(EvalrpcError):
    """This server does not support the call or the field."""


class InternalError(EvalrpcError):
    """A fault of the server; `metadata["error_id"]` stands in its log. Or bytes that are not gRPC."""


class WatchInterruptedError(UnavailableError):
    """The stream of events broke off, and could not be taken up again for as long as the caller wanted to wait.

    The experiment itself goes on; watch it later by its id.
    """


_BY_CODE: dict[str, type[EvalrpcError]] = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "NOT_FOUND": NotFoundError,
    "ALREADY_EXISTS": AlreadyExistsError,
    "FAILED_PRECONDITION": FailedPreconditionError,
    "OUT_OF_RANGE": OutOfRangeError,
    "UNAUTHENTICATED": UnauthenticatedError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "RESOURCE_EXHAUSTED": ResourceExhaustedError,
    "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
    "UNIMPLEMENTED": NotImplementedByServerError,
    "INTERNAL": InternalError,
    "DATA_LOSS": InternalError,
}


class _Failure(Protocol):
    """What the errors of both gRPC stacks have in common."""

    def code(self) -> grpc.StatusCode: ...

    def details(self) -> str | None: ...

    def trailing_metadata(self) -> object: ...


def error_from_call(failure: _Failure, address: str) -> EvalrpcError:
    """Returns the exception for a call that failed, from its status and its `google.rpc` details (AIP-193)."""
    code = failure.code().name
    message = failure.details() or f"the call failed with {code}"
    trailers = _trailers(failure.trailing_metadata())
    info, retry_after, violations = _details(trailers.get(_STATUS_KEY))
    request_id = trailers.get(_REQUEST_ID_KEY)
    kind = _BY_CODE.get(code, EvalrpcError)
    if code == "UNAVAILABLE" and info is None and _UNREACHABLE.search(message):
        kind, message = ServerUnreachableError, _unreachable(address, message)
    return kind(
        message,
        code=code,
        reason=info.reason if info else None,
        metadata=dict(info.metadata) if info else None,
        violations=violations,
        retry_after=retry_after,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def invalid(violations: Sequence[Violation]) -> InvalidRequestError:
    """Returns the error for a request that is wrong before anything was sent."""
    message = str(violations[0]) if len(violations) == 1 else f"{len(violations)} fields are wrong"
    return InvalidRequestError(
        message, code="INVALID_ARGUMENT", reason="INVALID_FIELD", violations=violations
    )


def _trailers(metadata: object) -> dict[str, str | bytes]:
    """Returns trailing metadata by key; neither stack promises that there is any."""
    return dict(metadata) if isinstance(metadata, Iterable) else {}


def _details(serialized: str | bytes | None) -> tuple[ErrorInfo | None, float | None, list[Violation]]:
    """Returns the error's info, the pause it suggests in seconds, and the wrong fields."""
    info, retry_after, violations = None, None, []
    if isinstance(serialized, bytes):
        try:
            details = Status.FromString(serialized).details
        except DecodeError:
            details = []
        for detail in details:
            if detail.Is(ErrorInfo.DESCRIPTOR):
                info = ErrorInfo.FromString(detail.value)
            elif detail.Is(RetryInfo.DESCRIPTOR):
                retry_after = to_seconds(RetryInfo.FromString(detail.value).retry_delay)
            elif detail.Is(BadRequest.DESCRIPTOR):
                found = BadRequest.FromString(detail.value).field_violations
                violations = [Violation(each.field, each.description) for each in found]
    return info, retry_after, violations


def _unreachable(address: str, details: str) -> str:
    cause = details.rpartition("last error: ")[2].strip().removeprefix("UNKNOWN: ")
    cause = unquote(cause)  # gRPC writes [::1] as %5B::1%5D
    host, port = address.rpartition(":")[::2]
    listen = f"--listen {address}" if host in LOCAL_HOSTS and port.isdigit() else "--listen HOST:PORT"
    return (
        f"no evalrpc server can be reached at {address} ({cause}); "
        f"start one with `evalrpc-server serve {listen}`, or give another address"
    )
