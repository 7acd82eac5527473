"""Dataset run items for callers' own traces, on the servers that want them: one for each tie, however often it is asked for.

Langfuse makes a run item for every request. So what was made is remembered, and one whose answer was lost is looked for, once
the server has had the time to show it, before it is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.datasets import Link
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.documents import iso

PATH = "/api/public/dataset-run-items"

_ATTEMPTS = 4
_PAGE = 100
_MOST = 10_000

V = TypeVar("V")


class RunItem(Struct, frozen=True):
    """A dataset run item: its own id, and that of its run."""

    id: str
    run_id: str


class _Key(Struct, frozen=True):
    """What two requests for the same run item have in common."""

    run_name: str
    dataset_item_id: str
    trace_id: str
    observation_id: str


class RunItems:
    """The run items that callers have asked for in one project.

    Args:
        api: of the project.
        clock: for waiting.
    """

    def __init__(self, api: LangfuseApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._made: dict[_Key, RunItem] = {}
        # When it can be told whether a request without an answer had made its run item.
        self._doubtful: dict[_Key, float] = {}
        self._making: dict[_Key, asyncio.Lock] = {}

    async def make(self, link: Link, dataset_id: str, *, with_version: bool) -> RunItem:
        """Makes the run item of a tie, or returns the one that is there.

        Args:
            link: the tie.
            dataset_id: Langfuse's id of the dataset.
            with_version: whether the server knows versions of datasets.

        Raises:
            ApiError: Langfuse refuses or does not answer.
        """
        key = _Key(link.run_name, link.dataset_item_id, link.trace_id, link.observation_id)
        async with _bounded(self._making).setdefault(key, asyncio.Lock()):
            made = self._made.get(key)
            if made is None:
                made = await self._make(key, link, dataset_id, with_version=with_version)
                _bounded(self._made)[key] = made
            return made

    async def _make(self, key: _Key, link: Link, dataset_id: str, *, with_version: bool) -> RunItem:
        attempt = 1
        while True:
            if (shown := self._doubtful.get(key)) is not None:
                await self._clock.sleep(max(0.0, shown - self._clock.monotonic()))
                if found := await self._find(key, dataset_id):
                    return found
                del self._doubtful[key]
            shown = self._clock.monotonic() + self._api.project.links_shown_after
            _bounded(self._doubtful)[key] = shown  # also where the caller does not wait for the answer
            try:
                answer = await self._api.request("POST", PATH, json=_body(link, with_version=with_version))
            except ApiError as error:
                if not error.sent:
                    del self._doubtful[key]
                if not error.retryable or attempt >= _ATTEMPTS:
                    raise
                if not error.sent:
                    await self._api.wait(attempt, error.retry_after)
                attempt += 1
                continue
            del self._doubtful[key]
            return _run_item(answer.json(), answer.status)

    async def _find(self, key: _Key, dataset_id: str) -> RunItem | None:
        """Looks for a run item in its run, which lists the newest first."""
        async with aclosing(self._listed(key.run_name, dataset_id)) as listed:
            async for entry in listed:
                if (entry.get("datasetItemId"), entry.get("traceId")) != (key.dataset_item_id, key.trace_id):
                    continue
                if entry.get("observationId") in {None, key.observation_id}:
                    return _run_item(entry, 200)
        return None

    async def _listed(self, run_name: str, dataset_id: str) -> AsyncGenerator[dict[str, JsonValue]]:
        page = pages = 1
        while page <= pages:
            answer = await self._api.retried(
                "GET",
                PATH,
                params={"datasetId": dataset_id, "runName": run_name, "page": page, "limit": _PAGE},
                expected={404},
            )
            if answer.status == 404:  # there is no such run
                return
            body = answer.json()
            try:
                for entry in body["data"]:
                    yield entry
                page, pages = page + 1, int(body["meta"]["totalPages"])
            except (KeyError, TypeError, ValueError):
                raise ApiError("answered a list without its data", status=answer.status) from None


def _run_item(entry: JsonValue, status: int) -> RunItem:
    try:
        return RunItem(id=str(entry["id"]), run_id=str(entry["datasetRunId"]))
    except (KeyError, TypeError):
        raise ApiError("answered without the dataset run's id", status=status) from None


def _body(link: Link, *, with_version: bool) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {
        "runName": link.run_name,
        "datasetItemId": link.dataset_item_id,
        "traceId": link.trace_id,
        "observationId": link.observation_id,
    }
    if link.run_description:
        body["runDescription"] = link.run_description
    if link.run_metadata:
        body["metadata"] = dict(link.run_metadata)
    if link.dataset_version is not None and with_version:
        body["datasetVersion"] = iso(link.dataset_version)
    return body


def _bounded(known: dict[_Key, V]) -> dict[_Key, V]:
    """Forgets what was learned first, where there is too much."""
    while len(known) >= _MOST:
        known.pop(next(iter(known)))
    return known
