"""Recorded runs on servers of version 4, which list an experiment's items with up to 50 of their scores."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.shown import Shown
from evalrpc_server.domain.spec.verdicts import LangfuseRun
from evalrpc_server.domain.statistics.scores import Reduced, TrialScores
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.identity import dataset_experiment_id, run_name
from evalrpc_server.langfuse.pinning import lookup
from evalrpc_server.langfuse.projects import path_segment
from evalrpc_server.langfuse.run_items import (
    READ_SECONDS,
    SHOWN_AT_ONCE,
    Gathering,
    ScoreBody,
    as_document,
    as_item,
    decoded,
    once_each,
    repetitions_of,
)
from evalrpc_server.langfuse.server import Generation, ServerInfo

_ITEMS = "/api/public/experiment-items"
_ALWAYS = "2000-01-01T00:00:00.000Z"
_PAGE = 100
_SCORES = 50


class _ItemBody(msgspec.Struct, rename="camel"):
    experiment_item_id: str
    level: str = "DEFAULT"
    scores: tuple[ScoreBody, ...] = ()
    input: JsonValue = None
    output: JsonValue = None
    expected_output: JsonValue = None
    experiment_item_metadata: JsonValue = None
    experiment_metadata: JsonValue = None


class _Meta(msgspec.Struct):
    cursor: str | None = None


class _PageBody(msgspec.Struct):
    data: tuple[_ItemBody, ...]
    meta: _Meta


_decoder = msgspec.json.Decoder(_PageBody)


class ListedRun:
    """A run of which the server lists the items; `ids` are those of its trials, the first one's first."""

    def __init__(self, api: LangfuseApi, name: str, ids: Sequence[str]) -> None:
        self._api = api
        self._ids = ids
        self.name = name

    async def scores(self, cluster_by: str) -> AsyncGenerator[Sequence[TrialScores]]:
        """Reads all trials, and yields them item by item.

        Raises:
            RequestError: they cannot be read.
        """
        gathering = Gathering()
        fields = "core,scores,itemMetadata" if cluster_by else "core,scores"
        async with lookup(self._api.project.name, READ_SECONDS):
            for trial, identity in enumerate(self._ids, 1):
                cursor: str | None = ""
                while cursor is not None:
                    page = await _read(self._api, identity, fields, cursor=cursor)
                    for item in page.data:
                        gathering.add(
                            item.experiment_item_id,
                            trial,
                            once_each(item.scores),
                            failed=item.level == "ERROR",
                            cluster=_cluster(item, cluster_by) if cluster_by else None,
                        )
                    cursor = page.meta.cursor or None
        for group in gathering.groups():
            yield group

    async def shown(self, reduced: Reduced, places: Sequence[int], *, characters: int) -> Sequence[Shown]:
        """Asks for the items at these places; one that is not listed any more comes without its documents.

        Raises:
            RequestError: they cannot be read.
        """
        found: list[Shown] = []
        for start in range(0, len(places), SHOWN_AT_ONCE):
            chunk = places[start : start + SHOWN_AT_ONCE]
            ids = [item_id for place in chunk if "," not in (item_id := reduced.ids[place])]
            known: dict[str, _ItemBody] = {}
            if ids:
                async with lookup(self._api.project.name):
                    page = await _read(self._api, self._ids[0], "core,io", items=ids)
                known = {item.experiment_item_id: item for item in page.data}
            for place in chunk:
                one = _shown(reduced.indexes[place], reduced.ids[place], known.get(reduced.ids[place]))
                characters -= one.size
                if characters < 0 and found:
                    return found
                found.append(one)
        return found


async def open_listed(
    api: LangfuseApi, info: ServerInfo, dataset_id: str, run: LangfuseRun
) -> ListedRun | None:
    """Finds a run; None where there is none, or nothing in it.

    Raises:
        ApiError: the server cannot be asked.
    """
    first = await _identity(api, info, dataset_id, run, 1)
    page = await _read(api, first, "core,experimentMetadata", limit=1)
    if not page.data:
        return None
    repetitions = repetitions_of(page.data[0].experiment_metadata)
    others = [await _identity(api, info, dataset_id, run, trial) for trial in range(2, repetitions + 1)]
    return ListedRun(api, run.run_name, [first, *others])


async def _identity(api: LangfuseApi, info: ServerInfo, dataset_id: str, run: LangfuseRun, trial: int) -> str:
    """Returns a run's id as an experiment: on servers that keep dataset runs that of the run, where there is one."""
    name = run_name(run.run_name, trial)
    if info.generation is Generation.DUAL:
        path = f"/api/public/datasets/{path_segment(run.dataset)}/runs/{path_segment(name)}"
        answer = await api.retried("GET", path, expected={404})
        if answer.status != 404:
            try:
                return str(answer.json()["id"])
            except (KeyError, TypeError):
                raise ApiError("answered without the run's id", status=answer.status) from None
    return dataset_experiment_id(info.project_id, dataset_id, name)


async def _read(
    api: LangfuseApi,
    identity: str,
    fields: str,
    *,
    cursor: str = "",
    limit: int = _PAGE,
    items: Sequence[str] = (),
) -> _PageBody:
    params: dict[str, str | int] = {
        "experimentId": identity,
        "fromStartTime": _ALWAYS,
        "fields": fields,
        "limit": limit,
        "scoreLimit": _SCORES,
    }
    if cursor:
        params["cursor"] = cursor
    if items:
        params["experimentItemId"] = ",".join(items)
    answer = await api.retried("GET", _ITEMS, params=params)
    return decoded(_decoder, answer.body, answer.status)


def _cluster(item: _ItemBody, path: str) -> str:
    """Returns what stands at a path of an item's metadata, which Langfuse tells flat; an item without it is alone."""
    metadata = item.experiment_item_metadata
    found = metadata.get(path) if isinstance(metadata, dict) else None
    return f"item {item.experiment_item_id}" if found is None else str(found)


def _shown(index: int, item_id: str, item: _ItemBody | None) -> Shown:
    if item is None:
        return Shown(as_item(index, item_id, {}), None)
    fields: dict[str, JsonValue] = {"input": item.input, "expectedOutput": item.expected_output}
    output = None if item.level == "ERROR" else as_document(item.output)
    return Shown(as_item(index, item_id, fields), output)
