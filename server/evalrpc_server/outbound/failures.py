"""Why a call that left the server gave nothing to work with, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason


class Failure(Enum):
    """The kinds of failure, of which each caller has reasons of its own."""

    SECRET = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    NOT_HTTP = auto()
    TRUNCATED = auto()
    TIMEOUT = auto()
    TOO_LARGE = auto()
    REDIRECT = auto()
    HTTP_STATUS = auto()
    QUOTA = auto()
    GRPC_STATUS = auto()
    INVALID_JSON = auto()
    INVALID_ANSWER = auto()


TASK_REASONS: Mapping[Failure, Reason] = {
    Failure.SECRET: Reason.SECRET_NOT_FOUND,
    Failure.REFUSED: Reason.OUTBOUND_REFUSED,
    Failure.UNREACHABLE: Reason.TASK_UNREACHABLE,
    Failure.NOT_HTTP: Reason.TASK_NOT_HTTP,
    Failure.TRUNCATED: Reason.TASK_TRUNCATED,
    Failure.TIMEOUT: Reason.TASK_TIMEOUT,
    Failure.TOO_LARGE: Reason.PAYLOAD_TOO_LARGE,
    Failure.REDIRECT: Reason.TASK_REDIRECT,
    Failure.HTTP_STATUS: Reason.TASK_HTTP_STATUS,
    Failure.QUOTA: Reason.TASK_QUOTA_EXHAUSTED,
    Failure.GRPC_STATUS: Reason.TASK_GRPC_STATUS,
    Failure.INVALID_JSON: Reason.TASK_INVALID_JSON,
    Failure.INVALID_ANSWER: Reason.TASK_INVALID_ANSWER,
}
"""The reasons of a task's failures."""

EVALUATOR_REASONS: Mapping[Failure, Reason] = {
    Failure.SECRET: Reason.SECRET_NOT_FOUND,
    Failure.REFUSED: Reason.OUTBOUND_REFUSED,
    Failure.UNREACHABLE: Reason.EVALUATOR_UNREACHABLE,
    Failure.NOT_HTTP: Reason.EVALUATOR_UNREACHABLE,
    Failure.TRUNCATED: Reason.EVALUATOR_UNREACHABLE,
    Failure.TIMEOUT: Reason.EVALUATOR_TIMEOUT,
    Failure.TOO_LARGE: Reason.EVALUATOR_INVALID_ANSWER,
    Failure.REDIRECT: Reason.EVALUATOR_HTTP_STATUS,
    Failure.HTTP_STATUS: Reason.EVALUATOR_HTTP_STATUS,
    Failure.QUOTA: Reason.EVALUATOR_HTTP_STATUS,
    Failure.GRPC_STATUS: Reason.EVALUATOR_GRPC_STATUS,
    Failure.INVALID_JSON: Reason.EVALUATOR_INVALID_ANSWER,
    Failure.INVALID_ANSWER: Reason.EVALUATOR_INVALID_ANSWER,
}
"""The reasons of an evaluator's failures."""


class CallFailedError(Exception):
    """A call gave no usable answer.

    Attributes:
        failure: the kind of failure.
        endpoint: scheme, host and port of what was called.
        message: what the endpoint did and what mends it, to follow the endpoint's name in a sentence; holds no secret.
        metadata: the particulars, for programs; holds no secret.
        retryable: whether the same call may succeed later.
        retry_after: seconds that the endpoint asked to wait; None where it did not.
        throttled: whether the endpoint said that calls come too fast.
    """

    def __init__(
        self,
        failure: Failure,
        message: str,
        *,
        endpoint: str,
        retryable: bool = False,
        retry_after: float | None = None,
        throttled: bool = False,
        **metadata: str,
    ) -> None:
        super().__init__(f"{endpoint} {message}")
        self.failure = failure
        self.endpoint = endpoint
        self.message = message
        self.metadata = {"endpoint": endpoint, **metadata}
        self.retryable = retryable
        self.retry_after = retry_after
        self.throttled = throttled

    def as_error(self, role: str, reasons: Mapping[Failure, Reason]) -> Error:
        """Returns the failure as data.

        Args:
            role: what the endpoint is to the experiment, such as "task".
            reasons: the role's reasons.
        """
        return Error(
            reason=reasons[self.failure],
            message=f"The {role} endpoint {self.endpoint} {self.message}",
            metadata=self.metadata,
            retryable=self.retryable,
        )
