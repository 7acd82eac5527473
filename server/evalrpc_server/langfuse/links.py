"""Sending links: dataset run items, by which servers before version 4 know what belongs to a run.

Langfuse makes a second run item when one is sent twice. So one whose answer was lost is looked for before it is sent again,
once the server has had the time to show it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec
from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.trace import span_id
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.backoff import Backoff
from evalrpc_server.langfuse.identity import run_name
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.sending import Settlement, is_refusal
from evalrpc_server.langfuse.server import LangfuseServer
from evalrpc_server.store.port import ExperimentStore, QueuedRecord

_PATH = "/api/public/dataset-run-items"
_PAGE = 100
_EXPERIMENTS = 64


class Link(msgspec.Struct):
    """What a queued link holds: the dataset item, the trace, and the number of the trial."""

    item: str
    trace: str
    trial: int


_decode_link = msgspec.json.Decoder(Link).decode


def link_payload(item: str, trace: str, trial: int) -> str:
    """Returns a link as it is queued."""
    return msgspec.json.encode(Link(item, trace, trial)).decode("utf-8")


class LinkBatch(Struct, frozen=True):
    """One link; Langfuse takes no more at once."""

    positions: Sequence[int]
    experiment: Experiment
    link: Link


class _Shown(Struct, frozen=True):
    """The traces that a run has items of, as they were read at a time."""

    time: float
    traces: frozenset[str]


class LinkSender:
    """Makes dataset run items for one project.

    Args:
        api: of the project.
        server: of the project.
        runs: is told the ids that the server gives.
        store: where experiments are.
        clock: for waiting.
        backoff: how failures are waited out.
        known: called when a run's id became known.
    """

    kind = records.LINK
    parallel = 8
    page = 200
    urgent = 1

    def __init__(
        self,
        api: LangfuseApi,
        server: LangfuseServer,
        runs: Runs,
        store: ExperimentStore,
        *,
        clock: Clock,
        backoff: Backoff,
        known: Callable[[], None],
    ) -> None:
        self._api = api
        self._server = server
        self._runs = runs
        self._store = store
        self._clock = clock
        self._backoff = backoff
        self._known = known
        self._visible = api.project.links_shown_after
        self._failures = 0
        self._experiments: dict[str, Experiment | None] = {}
        self._shown: dict[tuple[str, int], _Shown] = {}
        # Positions of links that may be there already, and when that can be told; and that of those up to a position.
        self._doubtful: dict[int, float] = {}
        self._inherited = 0
        self._inherited_shown = 0.0

    def inherit(self, end: int) -> None:
        """Has links up to this position looked for before they are sent."""
        self._doubtful.clear()
        self._inherited = end
        self._inherited_shown = self._clock.monotonic() + self._visible

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[LinkBatch | Settlement]:
        """Yields links one by one; those that are there already, or may be, need no request now."""
        for one in queued:
            experiment = await self._experiment(one.record.experiment_id)
            if experiment is None:
                yield Settlement(rejected={one.position: "its experiment is not in the store any more"})
                continue
            link = _decode_link(one.record.payload)
            since = self._doubtful.get(one.position)
            if since is None and one.position <= self._inherited:
                since = self._inherited_shown
                await self._clock.sleep(max(0.0, since - self._clock.monotonic()))
            if since is not None:
                if self._clock.monotonic() < since:
                    yield Settlement(deferred=[one.position])
                    continue
                there = link.trace in (await self._read_back(experiment, link.trial, since)).traces
                self._doubtful.pop(one.position, None)
                if there:
                    yield Settlement(accepted=[one.position])
                    continue
            yield LinkBatch([one.position], experiment, link)

    async def send(self, batch: LinkBatch) -> tuple[Settlement, Sequence[LinkBatch]]:
        """Makes a run item, and learns the run's id from the answer."""
        position = batch.positions[0]
        try:
            answer = await self._api.request("POST", _PATH, json=_body(batch))
            run_id = str(answer.json()["datasetRunId"])
        except (KeyError, TypeError):
            return Settlement(rejected={position: "Langfuse answered without the run's id"}), ()
        except ApiError as error:
            if is_refusal(error):
                if not error.text:  # a page and not the API answers: the server has no run items any more
                    self._server.forget()
                return Settlement(rejected={position: str(error)}), ()
            if not error.sent:
                raise
            self._doubtful[position] = self._clock.monotonic() + self._visible
            self._failures += 1
            await self._backoff.wait(self._failures, error)
            return Settlement(deferred=[position]), ()
        self._failures = 0
        if not self._runs.known(batch.experiment, batch.link.trial):
            self._runs.note(batch.experiment.id, batch.link.trial, run_id)
            self._known()
        return Settlement(accepted=[position]), ()

    async def _read_back(self, experiment: Experiment, trial: int, since: float) -> _Shown:
        """Returns what a run has, read at `since` or later."""
        key = (experiment.id, trial)
        shown = self._shown.get(key)
        if shown is None or shown.time < since:
            time = self._clock.monotonic()
            traces = frozenset([trace async for trace in self._linked_traces(experiment, trial)])
            shown = self._shown[key] = _Shown(time, traces)
            while len(self._shown) > _EXPERIMENTS:
                self._shown.pop(next(iter(self._shown)))
        return shown

    async def _linked_traces(self, experiment: Experiment, trial: int) -> AsyncGenerator[str]:
        dataset_id = experiment.langfuse.dataset_id if experiment.langfuse else ""
        name, page, pages = run_name(experiment.spec.run_name, trial), 1, 1
        while page <= pages:
            answer = await self._api.retried(
                "GET",
                _PATH,
                params={"datasetId": dataset_id, "runName": name, "page": page, "limit": _PAGE},
                expected={404},
            )
            if answer.status == 404:  # there is no such run
                return
            body = answer.json()
            for item in body["data"]:
                yield str(item["traceId"])
            page, pages = page + 1, int(body["meta"]["totalPages"])

    async def _experiment(self, experiment_id: str) -> Experiment | None:
        if experiment_id not in self._experiments:
            while len(self._experiments) >= _EXPERIMENTS:
                self._experiments.pop(next(iter(self._experiments)))
            self._experiments[experiment_id] = await self._store.get_experiment(experiment_id)
        return self._experiments[experiment_id]


def _body(batch: LinkBatch) -> dict[str, JsonValue]:
    spec, link = batch.experiment.spec, batch.link
    body: dict[str, JsonValue] = {
        "runName": run_name(spec.run_name, link.trial),
        "datasetItemId": link.item,
        "traceId": link.trace,
        "observationId": span_id(link.trace, "task"),
    }
    if spec.description:
        body["runDescription"] = spec.description
    if spec.metadata:
        body["metadata"] = spec.metadata
    if spec.langfuse_dataset is not None and spec.langfuse_dataset.version:
        body["datasetVersion"] = spec.langfuse_dataset.version
    return body
