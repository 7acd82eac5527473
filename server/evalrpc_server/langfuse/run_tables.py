"""Recorded runs on servers before version 4: a dataset run's items, and the project's scores since it began.

Such servers tell no item's scores and no failures, so that a failed trial is one without scores.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

import msgspec

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.shown import Shown
from evalrpc_server.domain.spec.verdicts import LangfuseRun
from evalrpc_server.domain.statistics.scores import Reduced, TrialScores
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.documents import iso
from evalrpc_server.langfuse.identity import run_name
from evalrpc_server.langfuse.pinning import lookup
from evalrpc_server.langfuse.projects import path_segment
from evalrpc_server.langfuse.run_items import (
    MAX_TRIALS,
    READ_SECONDS,
    SHOWN_AT_ONCE,
    Gathering,
    ScoreBody,
    as_document,
    as_item,
    decoded,
    once_each,
)

_SCORES = "/api/public/v2/scores"
_PAGE = 100
_DAY = timedelta(days=1)


class _RunItemBody(msgspec.Struct, rename="camel"):
    dataset_item_id: str
    trace_id: str


class _RunBody(msgspec.Struct, rename="camel"):
    created_at: datetime
    dataset_run_items: tuple[_RunItemBody, ...] = ()


class _Meta(msgspec.Struct, rename="camel"):
    total_pages: int


class _ScoresBody(msgspec.Struct):
    data: tuple[ScoreBody, ...]
    meta: _Meta


class _TraceBody(msgspec.Struct):
    input: JsonValue = None
    output: JsonValue = None


_decode_run = msgspec.json.Decoder(_RunBody)
_decode_scores = msgspec.json.Decoder(_ScoresBody)
_decode_trace = msgspec.json.Decoder(_TraceBody)


class TabledRun:
    """A dataset run; `runs` are those of its trials, the first one's first."""

    def __init__(self, api: LangfuseApi, name: str, runs: Sequence[_RunBody]) -> None:
        self._api = api
        self._runs = runs
        self.name = name

    async def scores(self, cluster_by: str) -> AsyncGenerator[Sequence[TrialScores]]:
        """Reads the scores since the run began, and yields those of its items; these servers tell of no clusters.

        Raises:
            RequestError: they cannot be read.
        """
        wanted: dict[str, list[ScoreBody]] = {
            item.trace_id: [] for run in self._runs for item in run.dataset_run_items
        }
        async with lookup(self._api.project.name, READ_SECONDS):
            page, pages = 1, 1
            while page <= pages:
                found = await self._page(page)
                for score in found.data:
                    if score.trace_id in wanted:
                        wanted[score.trace_id].append(score)
                pages, page = found.meta.total_pages, page + 1
        gathering = Gathering()
        for trial, run in enumerate(self._runs, 1):
            for item in run.dataset_run_items:
                cluster = f"item {item.dataset_item_id}" if cluster_by else None
                scores = once_each(wanted[item.trace_id])
                gathering.add(item.dataset_item_id, trial, scores, cluster=cluster)
        for group in gathering.groups():
            yield group

    async def _page(self, page: int) -> _ScoresBody:
        since = min(run.created_at for run in self._runs) - _DAY
        params: dict[str, str | int] = {"fromTimestamp": iso(since), "limit": _PAGE, "page": page}
        answer = await self._api.retried("GET", _SCORES, params=params)
        return decoded(_decode_scores, answer.body, answer.status)

    async def shown(self, reduced: Reduced, places: Sequence[int], *, characters: int) -> Sequence[Shown]:
        """Asks for the traces of the first items one by one; the others come without their documents."""
        traces = {item.dataset_item_id: item.trace_id for item in self._runs[0].dataset_run_items}
        found: list[Shown] = []
        for number, place in enumerate(places):
            item_id = reduced.ids[place]
            trace = _TraceBody()
            if number < SHOWN_AT_ONCE and item_id in traces:
                trace = await self._trace(traces[item_id])
            one = Shown(
                as_item(reduced.indexes[place], item_id, {"input": trace.input}), as_document(trace.output)
            )
            characters -= one.size
            if characters < 0 and found:
                break
            found.append(one)
        return found

    async def _trace(self, trace_id: str) -> _TraceBody:
        async with lookup(self._api.project.name):
            answer = await self._api.retried(
                "GET", f"/api/public/traces/{path_segment(trace_id)}", expected={404}
            )
            return (
                _TraceBody() if answer.status == 404 else decoded(_decode_trace, answer.body, answer.status)
            )


async def open_tabled(api: LangfuseApi, run: LangfuseRun) -> TabledRun | None:
    """Finds a run; None where there is none.

    Raises:
        ApiError: the server cannot be asked.
    """
    first = await _run(api, run, 1)
    if first is None:
        return None
    runs = [first]
    while len(runs) < MAX_TRIALS and (another := await _run(api, run, len(runs) + 1)) is not None:
        runs.append(another)
    return TabledRun(api, run.run_name, runs)


async def _run(api: LangfuseApi, run: LangfuseRun, trial: int) -> _RunBody | None:
    name = run_name(run.run_name, trial)
    path = f"/api/public/datasets/{path_segment(run.dataset)}/runs/{path_segment(name)}"
    answer = await api.retried("GET", path, expected={404})
    return None if answer.status == 404 else decoded(_decode_run, answer.body, answer.status)
