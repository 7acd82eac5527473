"""What a stream of records asks of those who make requests of them, and what these answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, field

from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.store.port import QueuedRecord

_REFUSALS = frozenset({400, 404, 409, 410, 413, 422})


class Settlement(Struct, frozen=True):
    """What became of records, by position. `deferred` ones could not be sent yet, and stay queued."""

    accepted: Sequence[int] = ()
    rejected: Mapping[int, str] = field(default_factory=dict)
    deferred: Sequence[int] = ()


class Batch(Protocol):
    """Records that travel in one request."""

    @property
    def positions(self) -> Sequence[int]:
        """The records' positions in the outbox."""


B = TypeVar("B", bound=Batch)


class Sender(Protocol[B]):
    """Turns one kind of records into requests.

    Attributes:
        kind: of the records.
        parallel: requests in flight at once.
        page: records that are read at once.
        urgent: as many waiting are sent without lingering.
    """

    kind: str
    parallel: int
    page: int
    urgent: int

    def inherit(self, end: int) -> None:
        """Tells that records up to this position may have been sent by somebody who did not live to note the answer."""

    def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[B | Settlement]:
        """Yields batches of records, each made when the one before is on its way, and what needs no request.

        Raises:
            ApiError: what Langfuse has to tell first cannot be asked now; the records are given again later.
        """

    async def send(self, batch: B) -> tuple[Settlement, Sequence[B]]:
        """Makes one attempt at a batch; returns what became of its records, and smaller batches of the rest.

        Raises:
            ApiError: nothing became of any of them; the batch is to be sent again.
        """


def is_refusal(error: ApiError) -> bool:
    """Whether Langfuse refuses what was sent for what it is: sending it again would be of no use."""
    return error.status in _REFUSALS and not error.retryable
