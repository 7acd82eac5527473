"""What is settled with Langfuse before an experiment is accepted: its project, its dataset, and the dataset's version."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
    Violation,
)
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.langfuse import LangfuseDataset, LangfuseSync
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.connections import Connection, Connections
from evalrpc_server.langfuse.datasets import Listing, list_items, read_dataset
from evalrpc_server.langfuse.errors import request_error

LOOKUP_SECONDS = 10.0
"""How long Langfuse has to answer before a request that needs it fails."""

_ATTEMPTS = 4
_RETRY_SECONDS = 5.0
_FUTURE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


class Intake:
    """Checks what a spec says about Langfuse, and fixes it."""

    def __init__(
        self, connections: Connections, clock: Clock, *, lookup_seconds: float = LOOKUP_SECONDS
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._lookup_seconds = lookup_seconds

    async def accept(
        self, spec: ExperimentSpec, *, path: str
    ) -> tuple[ExperimentSpec, LangfuseStatus | None]:
        """Returns the spec with its project and its dataset's version, and where the experiment will be recorded.

        Raises:
            PreconditionError: it needs Langfuse, and no project is configured; or Langfuse refuses.
            NotFoundError: there is no such project, no such dataset, or nothing in the dataset.
            InvalidRequestError: the project is ambiguous, or the version lies in the future.
            UnavailableError: Langfuse does not answer in time.
        """
        recorded = spec.langfuse_sync is not LangfuseSync.OFF and len(self._connections) > 0
        if spec.langfuse_dataset is None and not recorded and not spec.langfuse_project:
            return spec, None
        connection = self._connections.resolve(spec.langfuse_project, path=f"{path}.langfuse_project")
        project = connection.project.name
        changes: dict[str, object] = {"langfuse_project": project}
        dataset_id = ""
        if spec.langfuse_dataset is not None:
            pinned, dataset_id = await self.pin(
                connection, spec.langfuse_dataset, path=f"{path}.langfuse_dataset"
            )
            changes["langfuse_dataset"] = pinned
        status = LangfuseStatus(project=project, dataset_id=dataset_id) if recorded else None
        return spec.model_copy(update=changes), status

    async def pin(
        self, connection: Connection, dataset: LangfuseDataset, *, path: str
    ) -> tuple[LangfuseDataset, str]:
        """Returns the dataset with its version, and its id in Langfuse.

        Raises:
            NotFoundError: there is no such dataset, or nothing in it.
            InvalidRequestError: the version lies in the future.
            PreconditionError: Langfuse refuses.
            UnavailableError: Langfuse does not answer in time.
        """
        project = connection.project.name
        try:
            async with asyncio.timeout(self._lookup_seconds):
                listing = await list_items(
                    connection.api,
                    dataset.name,
                    version=dataset.version,
                    page=1,
                    limit=1,
                    attempts=_ATTEMPTS,
                )
                if listing is None or not listing.items:
                    raise await _missing(connection, dataset)
        except ApiError as error:
            raise request_error(error, project) from None
        except TimeoutError:
            raise UnavailableError(
                Reason.LANGFUSE_UNAVAILABLE,
                f"Langfuse (project {project}) did not answer within {self._lookup_seconds:g} s",
                retry_after=_RETRY_SECONDS,
                project=project,
            ) from None
        version = self._version(dataset, listing, path)
        return dataset.pinned(version), listing.items[0].dataset_id

    def _version(self, dataset: LangfuseDataset, listing: Listing, path: str) -> datetime:
        """Returns the moment that stands for "now" at Langfuse, or the one asked for.

        Langfuse's clock decides, not ours, which may be off: `Date` tells it to the second, and the newest item to the
        millisecond as far as it matters; an item that was made just before the call must not be lost.
        """
        now, told = self._clock.now(), listing.server_time
        if told is not None:
            now = min(max(now, told), told + _SECOND)
        if (wanted := dataset.version_time) is not None:
            if wanted > now + _FUTURE:
                raise InvalidRequestError(
                    [
                        Violation(
                            f"{path}.version", "lies in the future; leave it out for the dataset as it is now"
                        )
                    ]
                )
            return min(wanted, now)
        newest = max(listing.items[0].create_time, listing.items[0].update_time)
        return max(now, newest + _MILLISECOND)


async def _missing(connection: Connection, dataset: LangfuseDataset) -> NotFoundError:
    project, name = connection.project.name, dataset.name
    if await read_dataset(connection.api, name) is None:
        return dataset_not_found(name, project)
    moment = f" as of {dataset.version}" if dataset.version else ""
    return NotFoundError(
        Reason.DATASET_ITEM_NOT_FOUND,
        f"the dataset {name!r} in Langfuse (project {project}) has no active items{moment}",
        dataset=name,
        project=project,
    )


def dataset_not_found(name: str, project: str) -> NotFoundError:
    """Returns what a caller is told of a dataset that does not exist."""
    return NotFoundError(
        Reason.DATASET_NOT_FOUND,
        f"Langfuse (project {project}) has no dataset named {name!r}",
        dataset=name,
        project=project,
    )
