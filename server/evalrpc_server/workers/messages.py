"""What is sent to workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.workers.work import Work


class Assignment(Struct, frozen=True):
    """A call, under the token of this attempt."""

    token: str
    work: Work


class Chunk(Struct, frozen=True, kw_only=True):
    """The next results for a run evaluator; `number` is from 1."""

    token: str
    number: int
    results: Sequence[ItemResult]
    last: bool


class Acknowledgement(Struct, frozen=True):
    """A report is stored, or is ignored for good."""

    token: str
    ignored: bool


class HeartbeatAnswer(Struct, frozen=True):
    """Tokens that the worker listed and that are not its own any more."""

    lost: Sequence[str]


class Cancellation(Struct, frozen=True):
    """A call is to be stopped."""

    token: str
    reason: str


class DrainNotice(Struct, frozen=True):
    """The server shuts down within so many seconds."""

    grace: float


class Farewell(Struct, frozen=True):
    """The server ends the stream."""

    reason: str


ToWorker = Assignment | Chunk | Acknowledgement | HeartbeatAnswer | Cancellation | DrainNotice | Farewell


class Link(Protocol):
    """The way to a connected worker. Nothing here waits: what is sent is queued."""

    def send(self, message: ToWorker) -> None:
        """Queues a message.

        Raises:
            WorkTooLargeError: it does not fit into a message of the stream; nothing is queued.
        """

    def close(self, error: RequestError | None = None) -> None:
        """Ends the stream once what is queued was sent; with an error, at once."""
