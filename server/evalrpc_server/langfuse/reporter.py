"""The reporter: what of an experiment is queued for Langfuse, and where it will be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus, LinkMode
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.langfuse import LangfuseSync
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.identity import trace_url
from evalrpc_server.langfuse.links import link_payload
from evalrpc_server.langfuse.scores import item_scores, run_scores
from evalrpc_server.store.port import OutboxRecord


class Outlet(Protocol):
    """Where a project's records go."""

    @property
    def base_url(self) -> str:
        """Where Langfuse is."""

    @property
    def project_id(self) -> str:
        """Langfuse's id of the project; empty until it is known."""

    @property
    def environment(self) -> str:
        """The environment of traces and scores, unless an experiment names its own."""

    def experiment_id(self, experiment: Experiment) -> str:
        """Returns the id of an experiment in Langfuse, with repetitions that of the first trials; empty until known."""

    def keep(self, experiment_id: str, sequence: int, result: ItemResult, /) -> None:
        """Keeps a result at hand for its trace."""

    def note(self, found: Sequence[OutboxRecord], /) -> None:
        """Tells that records are about to be stored."""

    def hurry(self) -> None:
        """Has what is queued sent without waiting for more."""

    async def settled(self, experiment_id: str, seconds: float) -> None:
        """Waits until all of an experiment's records are answered for, at most so many seconds."""

    async def verified(self, experiment: Experiment, seconds: float) -> None:
        """Reads an experiment back until all that was accepted is shown, at most so many seconds; where that is wanted."""

    def verify_later(self, experiment: Experiment) -> None:
        """Does the same in the background, once everything is answered for."""

    async def status(self, experiment: Experiment, known: LangfuseStatus) -> LangfuseStatus:
        """Returns what became of an experiment's records by now."""


class LangfuseReporter:
    """Queues one experiment's records for its project.

    A trace is queued by reference to the result, which is stored anyway, and encoded when it is sent; a score is small, and
    queued as it will be sent.
    """

    def __init__(self, outlet: Outlet, status: LangfuseStatus, *, clock: Clock) -> None:
        self._outlet = outlet
        self._status = status
        self._clock = clock

    def locate(self, result: ItemResult) -> ItemResult:
        """Returns the result with the address of its trace filled in."""
        project_id = self._outlet.project_id
        if not project_id:
            return result
        return replace(result, trace_url=trace_url(self._outlet.base_url, project_id, result.trace_id))

    def item_records(self, experiment: Experiment, result: ItemResult, /) -> Sequence[OutboxRecord]:
        """Returns a result's trace and scores, and its link where the server wants one."""
        project, sequence = self._status.project, str(experiment.sequence)
        trace = result.trace_id
        found = [
            OutboxRecord(
                id=trace, experiment_id=experiment.id, project=project, kind=records.TRACE, payload=sequence
            )
        ]
        if self._status.link_mode is LinkMode.RUN_ITEMS and result.item.dataset_item_id:
            found.append(
                OutboxRecord(
                    id=f"link-{trace}",
                    experiment_id=experiment.id,
                    project=project,
                    kind=records.LINK,
                    payload=link_payload(result.item.dataset_item_id, trace, result.trial),
                )
            )
        if scores := list(item_scores(experiment.id, result, self._environment(experiment))):
            alone = len(scores) == 1
            found.append(
                OutboxRecord(
                    id=scores[0][0] if alone else f"scores-{trace}",
                    experiment_id=experiment.id,
                    project=project,
                    kind=records.SCORE,
                    payload=scores[0][1] if alone else f"[{','.join([body for _, body in scores])}]",
                    records=len(scores),
                )
            )
        self._outlet.keep(experiment.id, experiment.sequence, result)
        self._outlet.note(found)
        return found

    def run_records(
        self, experiment: Experiment, evaluations: Sequence[Evaluation], /
    ) -> Sequence[OutboxRecord]:
        """Returns the run's scores."""
        known = self._outlet.experiment_id(experiment) or None
        found = [
            OutboxRecord(
                id=identity,
                experiment_id=experiment.id,
                project=self._status.project,
                kind=records.SCORE if known else records.RUN_SCORE,
                payload=body,
            )
            for identity, body in run_scores(
                experiment.id,
                evaluations,
                time=self._clock.now(),
                run=known,
                environment=self._environment(experiment),
            )
        ]
        self._outlet.note(found)
        return found

    async def flush(self, experiment: Experiment, /) -> None:
        """Waits until Langfuse has answered for every record, where the experiment asks for that, up to its time limit."""
        spec = experiment.spec
        if spec.langfuse_sync is LangfuseSync.WAIT:
            until = self._clock.monotonic() + spec.langfuse_sync_timeout
            await self._outlet.settled(experiment.id, spec.langfuse_sync_timeout)
            await self._outlet.verified(experiment, until - self._clock.monotonic())
        else:
            self._outlet.hurry()
            self._outlet.verify_later(experiment)

    async def status(self, experiment: Experiment, /) -> LangfuseStatus | None:
        """Returns what became of the experiment's records."""
        return await self._outlet.status(experiment, self._status)

    def _environment(self, experiment: Experiment) -> str:
        return experiment.spec.trace.environment or self._outlet.environment
