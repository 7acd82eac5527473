"""Failures of Langfuse as errors of a request."""

from __future__ import annotations

from evalrpc_server.domain.errors import PreconditionError, RequestError, UnavailableError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.api import ApiError

_RETRY_SECONDS = 5.0


def request_error(error: ApiError, project: str) -> RequestError:
    """Returns what a caller is told when Langfuse did not do what the request needs."""
    metadata = {"project": project} | ({"status": str(error.status)} if error.status else {})
    sentence = f"Langfuse (project {project}) {error.message}"
    if error.retryable:
        return UnavailableError(
            Reason.LANGFUSE_UNAVAILABLE,
            sentence,
            retry_after=error.retry_after or _RETRY_SECONDS,
            **metadata,
        )
    return PreconditionError(Reason.LANGFUSE_REJECTED, sentence, **metadata)
