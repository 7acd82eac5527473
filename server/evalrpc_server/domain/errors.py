"""Errors: as data inside results, and as exceptions that end a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from evalrpc_server.domain.reasons import Reason


class Error(Struct, frozen=True, kw_only=True):
    """What went wrong with a task call, an evaluation, or an experiment, as data.

    Attributes:
        reason: stable, for programs.
        message: a sentence for a person.
        metadata: the particulars in the message, for programs.
        retryable: whether the same attempt may succeed later.
    """

    reason: Reason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retryable: bool = False


class Violation(Struct, frozen=True):
    """One thing wrong with a request: the field by its path, and what is wrong and how to mend it."""

    path: str
    description: str


class RequestError(Exception):
    """A request that the server does not carry out. The subclass decides the RPC status.

    Attributes:
        reason: stable, for programs.
        message: a sentence for the caller.
        metadata: the particulars in the message, for programs.
    """

    def __init__(self, reason: Reason, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata


class InvalidRequestError(RequestError):
    """Fields of the request are wrong; all violations are listed."""

    MAX_VIOLATIONS = 20
    """How many violations are reported at once; error details have to fit into 16 KiB of headers."""

    def __init__(self, violations: Sequence[Violation], *, reason: Reason = Reason.INVALID_FIELD) -> None:
        self.violations = tuple(violations[: self.MAX_VIOLATIONS])
        first = self.violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(
            reason,
            f"{first.path}: {first.description}{more}",
            field=first.path,
            description=first.description,
            violations=str(len(violations)),
        )


class NotFoundError(RequestError):
    """What the request names does not exist."""


class AlreadyExistsError(RequestError):
    """The name is taken by something else."""


class PreconditionError(RequestError):
    """The request does not fit the state of what it names."""


class OutOfRangeError(RequestError):
    """The request asks for something behind an end."""


class UnsupportedError(RequestError):
    """This server does not implement what is asked."""


class UnavailableError(RequestError):
    """The server cannot serve this now; the same request may succeed later.

    Attributes:
        retry_after: seconds after which to try again.
    """

    def __init__(self, reason: Reason, message: str, *, retry_after: float, **metadata: str) -> None:
        super().__init__(reason, message, **metadata)
        self.retry_after = retry_after


class ExhaustedError(UnavailableError):
    """A limit is reached; the same request may succeed later."""
