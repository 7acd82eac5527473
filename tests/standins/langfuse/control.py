"""The control surface of a stand-in that runs as a process: ``/__standin/...``, without authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from aiohttp import web

from tests.standins.langfuse.answers import json_response
from tests.standins.langfuse.faults import Fault
from tests.standins.langfuse.records import normalise
from tests.standins.langfuse.score_forms import v3

if TYPE_CHECKING:
    from tests.standins.langfuse.app import LangfuseStandIn


class FaultBody(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a `Fault` as JSON."""

    kinds: tuple[str, ...] = ("500",)
    path: str = ""
    method: str = ""
    ratio: float = 1.0
    times: int | None = None
    retry_after: float | None = None
    hold: float = 30.0

    def rule(self) -> Fault:
        """The rule; raises ValueError for an unknown kind."""
        return Fault(**msgspec.structs.asdict(self))


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /__standin/change``: only the given fields change anything."""

    faults: list[FaultBody] | None = None
    seed: int | None = None
    down: bool | None = None
    answer_delay: float | None = None
    date_skew: float | None = None
    advance_clock: float | None = None
    rate_plan: Literal["hobby", "core", "pro"] | None = None
    rate_limits: dict[str, int] | None = None
    hold_records: bool | None = None
    show_all: bool = False
    merge: bool = False
    reset: bool = False


class Load(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /__standin/load``: a dataset with all its items."""

    name: str
    items: list[dict[str, object]]
    project: str | None = None


class Control:
    """Answers the control requests of one stand-in."""

    def __init__(self, standin: LangfuseStandIn) -> None:
        self._standin = standin

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, for the application's router."""
        return [
            web.get("/__standin/stats", self._stats),
            web.get("/__standin/requests", self._requests),
            web.get("/__standin/dump", self._dump),
            web.get("/__standin/records", self._records),
            web.post("/__standin/change", self._change),
            web.post("/__standin/load", self._load),
        ]

    async def _stats(self, _request: web.Request) -> web.Response:
        return json_response(self._standin.stats())

    async def _requests(self, _request: web.Request) -> web.Response:
        return json_response(self._standin.log.recent())

    async def _records(self, request: web.Request) -> web.Response:
        return json_response(normalise(self._standin, request.query.get("project")))

    async def _dump(self, request: web.Request) -> web.Response:
        project = self._standin.project(request.query.get("project"))
        groups = {"details", "subject", "annotation"}
        return json_response(
            {
                "spans": [msgspec.to_builtins(project.spans.span(row)) for row in project.spans.rows()],
                "scores": [v3(score, groups) for score in project.scores.all()],
                "runs": [
                    {**run.show(), "datasetRunItems": [item.show() for item in run.items]}
                    for run in project.runs.all()
                ],
                "dropped_scores": [list(entry) for entry in project.scores.dropped],
            }
        )

    async def _change(self, request: web.Request) -> web.Response:
        standin = self._standin
        try:
            change = msgspec.json.decode(await request.read(), type=Change)
            rules = None if change.faults is None else [one.rule() for one in change.faults]
        except (msgspec.DecodeError, ValueError) as error:
            return json_response({"message": str(error)}, 400)
        if change.reset:
            standin.reset()
        if rules is not None:
            standin.faults.replace(rules)
        if change.seed is not None:
            standin.faults.seed(change.seed)
        self._change_limits(change)
        self._change_time(change)
        self._change_records(change)
        if change.down is not None:
            await (standin.go_down() if change.down else standin.come_up())
        return json_response(standin.stats())

    def _change_limits(self, change: Change) -> None:
        if change.rate_plan is not None:
            self._standin.rates.use_plan(change.rate_plan)
        if change.rate_limits is not None:
            self._standin.rates.limits = change.rate_limits

    def _change_time(self, change: Change) -> None:
        if change.answer_delay is not None:
            self._standin.answer_delay = change.answer_delay
        if change.date_skew is not None:
            self._standin.date_skew = change.date_skew
        if change.advance_clock is not None:
            self._standin.clock.advance(change.advance_clock)

    def _change_records(self, change: Change) -> None:
        if change.hold_records is not None:
            self._standin.hold_records(change.hold_records)
        if change.show_all:
            self._standin.show_all()
        if change.merge:
            for project in self._standin.projects.values():
                project.spans.merge()

    async def _load(self, request: web.Request) -> web.Response:
        try:
            load = msgspec.json.decode(await request.read(), type=Load)
        except msgspec.DecodeError as error:
            return json_response({"message": str(error)}, 400)
        dataset = self._standin.project(load.project).datasets.load(load.name, load.items)
        return json_response({**dataset.show(), "itemCount": len(dataset.items)})
