"""The target port: a task that can be called."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.usage import Usage


class TaskCall(Struct, frozen=True, kw_only=True):
    """One attempt at one trial of one item.

    Attributes:
        trial: from 1.
        attempt: from 1.
        timeout: seconds that the attempt may take; the caller enforces it, the target may pass it on.
        trace_id: 32 hex digits, to be joined by the application's own spans.
        span_id: 16 hex digits, their parent.
    """

    experiment: ExperimentRef
    item: Item
    trial: int
    attempt: int
    timeout: float
    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The W3C Trace Context header for this call."""
        return f"00-{self.trace_id}-{self.span_id}-01"


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """What a task answered: its output and what it said about it."""

    output: Document
    contexts: tuple[Context, ...] = ()
    usage: Usage | None = None
    metadata: Document | None = None


class TaskError(Exception):
    """A task call failed.

    Attributes:
        error: why; its `retryable` decides whether the call is repeated.
        retry_after: seconds that the endpoint asked to wait; None where it did not.
        backoff: whether the task needs a pause before the call is repeated; not where somebody else takes it over.
    """

    def __init__(self, error: Error, *, retry_after: float | None = None, backoff: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after = retry_after
        self.backoff = backoff


class Target(Protocol):
    """A task as something that can be called. One target serves all calls of one experiment."""

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once.

        Raises:
            TaskError: the task gave no usable output.
        """

    async def aclose(self) -> None:
        """Releases what the target holds."""
