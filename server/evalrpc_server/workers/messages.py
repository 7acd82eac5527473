"""What is sent to workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evalrpc_server.domain.errors import RequestError
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.workers.work import Work


@dataclass(frozen=True, slots=True)
class Assignment:
    """A call, under the token of this attempt."""

    token: str
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The next results for a run evaluator; `number` is from 1."""

    token: str
    number: int
    results: Sequence[ItemResult]
    last: bool


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A report is stored, or is ignored for good."""

    token: str
    ignored: bool


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """Tokens that the worker listed and that are not its own any more."""

    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A call is to be stopped."""

    token: str
    reason: str


@dataclass(frozen=True, slots=True)
class DrainNotice:
    """The server shuts down within so many seconds."""

    grace: float


@dataclass(frozen=True, slots=True)
class Farewell:
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
