"""A hosted dataset as the data of an experiment."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from evalrpc_server.datasets.port import DataSource, DataSourceError, ItemPage
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.datasets import DatasetItem
from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.dataset_pages import OldestFirst
from evalrpc_server.langfuse.selection import Selection

PATIENCE_SECONDS = 3600.0
"""How long an outage of Langfuse is waited out before an experiment fails."""

_NULL = Document("null")


class LangfuseDataSource:
    """The selected items of an experiment's dataset, streamed from Langfuse."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._open: AsyncGenerator[ItemPage] | None = None

    def pages(self, *, cursor: str, first_index: int) -> AsyncIterator[ItemPage]:
        """Yields the items page by page, from the beginning or behind a cursor.

        Raises:
            DataSourceError: they cannot be read, or there is none, or one that was asked for is not there.
        """
        self._open = self._pages(cursor, first_index)
        return self._open

    async def aclose(self) -> None:
        """Stops reading."""
        if self._open is not None:
            await self._open.aclose()

    async def _pages(self, cursor: str, index: int) -> AsyncGenerator[ItemPage]:
        pages = self._selection.pages(cursor)
        try:
            async for page in pages:
                items = [_item(item, number) for number, item in enumerate(page.items, index)]
                index += len(items)
                yield ItemPage(items=items, cursor=page.cursor, last=page.last)
        finally:
            await pages.aclose()


class _Unconfigured:
    """The data of an experiment whose project is no longer in the configuration."""

    def __init__(self, project: str) -> None:
        self._project = project

    async def pages(self, *, cursor: str, first_index: int) -> AsyncIterator[ItemPage]:  # noqa: ARG002
        """Fails.

        Raises:
            DataSourceError: always.
        """
        raise DataSourceError(
            Error(
                reason=Reason.LANGFUSE_PROJECT_NOT_FOUND,
                message=f"The server's configuration has no Langfuse project named {self._project!r} any more.",
                metadata={"project": self._project},
            )
        )
        yield

    async def aclose(self) -> None:
        """Holds nothing."""


def open_dataset(
    api: LangfuseApi | None,
    spec: ExperimentSpec,
    clock: Clock,
    *,
    spool: Path,
    patience: float = PATIENCE_SECONDS,
) -> DataSource | None:
    """Returns an accepted experiment's data; None where it does not come from Langfuse.

    Args:
        api: of the experiment's project; None where the configuration has it no longer.
        spec: of the experiment, its dataset's version pinned.
        clock: for waiting.
        spool: the directory for items whose order is being drawn.
        patience: seconds for which an outage is waited out.
    """
    dataset = spec.langfuse_dataset
    if dataset is None:
        return None
    if api is None:
        return _Unconfigured(spec.langfuse_project)
    reading = OldestFirst(api, dataset.name, dataset.version, clock=clock, patience=patience)
    return LangfuseDataSource(Selection(reading, dataset, spool=spool, at_most=spec.dry_run_items))


def _item(item: DatasetItem, index: int) -> Item:
    return Item(
        index=index,
        id=item.id,
        input=item.input if item.input is not None else _NULL,
        expected_output=item.expected_output,
        metadata=item.metadata,
        dataset_item_id=item.id,
    )
