"""What is settled with Langfuse before a dataset is read: that it exists, its id, and which version of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
    Violation,
)
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.langfuse import LangfuseDataset
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.datasets import Listing, list_items, read_dataset
from evalrpc_server.langfuse.errors import request_error
from evalrpc_server.langfuse.patience import patience_of

LOOKUP_SECONDS = 10.0
"""How long Langfuse has to answer before a request that needs it fails."""

_ATTEMPTS = 4
_RETRY_SECONDS = 5.0
_FUTURE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


@asynccontextmanager
async def lookup(project: str, seconds: float = LOOKUP_SECONDS) -> AsyncIterator[None]:
    """Bounds the time in which a request asks Langfuse, and tells its failures as those of the request.

    Raises:
        UnavailableError: Langfuse does not answer in time, or fails in passing.
        PreconditionError: Langfuse refuses.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            with patience_of(seconds):
                yield
    except ApiError as error:
        raise request_error(error, project) from None
    except TimeoutError:
        if not deadline.expired():
            raise
        raise UnavailableError(
            Reason.LANGFUSE_UNAVAILABLE,
            f"Langfuse (project {project}) did not answer within {seconds:g} s",
            retry_after=_RETRY_SECONDS,
            project=project,
        ) from None


async def pin_dataset(
    api: LangfuseApi, dataset: LangfuseDataset, clock: Clock, *, path: str
) -> tuple[LangfuseDataset, str]:
    """Returns the dataset with its version, and its id in Langfuse.

    Args:
        api: of the project.
        dataset: as it was asked for.
        clock: tells the time.
        path: where the dataset stands in the request, for violations.

    Raises:
        NotFoundError: there is no such dataset, or nothing in it.
        InvalidRequestError: the version lies in the future.
        ApiError: it cannot be read.
    """
    listing = await list_items(
        api, dataset.name, version=dataset.version, page=1, limit=1, attempts=_ATTEMPTS
    )
    if listing is None or not listing.items:
        raise await _missing(api, dataset)
    return dataset.pinned(_version(dataset, listing, clock.now(), path)), listing.items[0].dataset_id


def dataset_not_found(name: str, project: str) -> NotFoundError:
    """Returns what a caller is told of a dataset that does not exist."""
    return NotFoundError(
        Reason.DATASET_NOT_FOUND,
        f"Langfuse (project {project}) has no dataset named {name!r}",
        dataset=name,
        project=project,
    )


def _version(dataset: LangfuseDataset, listing: Listing, now: datetime, path: str) -> datetime:
    """Returns the moment that stands for "now" at Langfuse, or the one asked for.

    Langfuse's clock decides, not ours, which may be off: `Date` tells it to the second, and the newest item to the millisecond
    as far as it matters. An item that was made just before the call must not be lost.
    """
    if (told := listing.server_time) is not None:
        now = min(max(now, told), told + _SECOND)
    if (wanted := dataset.version_time) is not None:
        if wanted > now + _FUTURE:
            problem = "lies in the future; leave it out for the dataset as it is now"
            raise InvalidRequestError([Violation(f"{path}.version", problem)])
        return min(wanted, now)
    newest = max(listing.items[0].create_time, listing.items[0].update_time)
    return max(now, newest + _MILLISECOND)


async def _missing(api: LangfuseApi, dataset: LangfuseDataset) -> NotFoundError:
    project, name = api.project.name, dataset.name
    if await read_dataset(api, name) is None:
        return dataset_not_found(name, project)
    time = f" as of {dataset.version}" if dataset.version else ""
    return NotFoundError(
        Reason.DATASET_ITEM_NOT_FOUND,
        f"the dataset {name!r} in Langfuse (project {project}) has no active items{time}",
        dataset=name,
        project=project,
    )
