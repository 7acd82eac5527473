"""What callers ask of Langfuse directly: datasets, their items, and ties to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.datasets import Dataset, DatasetItem, Link, Linked
from evalrpc_server.domain.errors import (
    Error,
    NotFoundError,
    PreconditionError,
    RequestError,
    UnavailableError,
)
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.langfuse.connections import Connections
from evalrpc_server.langfuse.dataset_pages import OldestFirst
from evalrpc_server.langfuse.datasets import read_dataset
from evalrpc_server.langfuse.linking import link_item
from evalrpc_server.langfuse.pinning import LOOKUP_SECONDS, dataset_not_found, lookup, pin_dataset
from evalrpc_server.langfuse.selection import Selection
from evalrpc_server.langfuse.ties import RunItems

_RETRY_SECONDS = 5.0


class HostedDatasets:
    """The datasets of all configured projects.

    Args:
        connections: to the projects.
        clock: for waiting.
        spool: the directory for items whose order is being drawn.
    """

    def __init__(self, connections: Connections, clock: Clock, *, spool: Path) -> None:
        self._connections = connections
        self._clock = clock
        self._spool = spool
        self._run_items = {
            connection.project.name: RunItems(connection.api, clock) for connection in connections
        }

    async def get(self, name: str, *, project: str) -> Dataset:
        """Returns a dataset.

        Raises:
            RequestError: there is no such project or dataset, or Langfuse does not answer.
        """
        connection = self._connections.resolve(project)
        async with lookup(connection.project.name):
            found = await read_dataset(connection.api, name)
            if found is None:
                raise dataset_not_found(name, connection.project.name)
            info = await connection.server.info()
        page = f"/project/{quote(info.project_id, safe='')}/datasets/{quote(found.id, safe='')}"
        return replace(found, url=f"{connection.project.base_url}{page}")

    async def items(self, dataset: LangfuseDataset, *, project: str) -> AsyncGenerator[Sequence[DatasetItem]]:
        """Yields the selected items of a dataset in groups, as an experiment would read them.

        Raises:
            RequestError: there is no such project or dataset, or Langfuse does not answer.
        """
        connection = self._connections.resolve(project)
        try:
            async with lookup(connection.project.name):
                pinned, _ = await pin_dataset(connection.api, dataset, self._clock, path="langfuse_dataset")
        except NotFoundError as error:
            if error.reason is not Reason.DATASET_ITEM_NOT_FOUND:
                raise
            return  # an empty dataset
        reading = OldestFirst(
            connection.api, pinned.name, pinned.version, clock=self._clock, patience=LOOKUP_SECONDS
        )
        try:
            async with aclosing(Selection(reading, pinned, spool=self._spool, lenient=True).pages()) as pages:
                async for page in pages:
                    yield page.items
        except DataSourceError as error:
            raise _request_error(error.error) from None

    async def link(self, link: Link, *, project: str) -> Linked:
        """Ties a caller's own trace to a dataset item.

        Raises:
            RequestError: there is no such project, dataset or item, or Langfuse refuses or does not answer.
        """
        connection = self._connections.resolve(project)
        name = connection.project.name
        # An answer that is lost is made up for by looking, which has to wait.
        async with lookup(name, LOOKUP_SECONDS + connection.project.links_shown_after):
            return await link_item(connection, link, self._run_items[name])


def _request_error(error: Error) -> RequestError:
    """Returns a failure of a data source as the failure of a request."""
    facts = dict(error.metadata)
    if error.retryable:
        return UnavailableError(error.reason, error.message, retry_after=_RETRY_SECONDS, **facts)
    if error.reason is Reason.DATASET_NOT_FOUND:
        return NotFoundError(error.reason, error.message, **facts)
    if error.reason is Reason.LANGFUSE_UNAVAILABLE:
        return PreconditionError(Reason.LANGFUSE_REJECTED, error.message, **facts)
    return PreconditionError(error.reason, error.message, **facts)
