"""The recorder: the one writer of an experiment's log. It stores first and shows afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from evalrpc_server import failpoints
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation, spent_on
from evalrpc_server.domain.events import Event, EventBody, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, Progress, RunningSummary, State
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.usage import NOTHING_SPENT, Spending
from evalrpc_server.runner.comparison.conclusion import NOTHING_CONCLUDED, Conclusion
from evalrpc_server.runner.faults import log_fault
from evalrpc_server.runner.feed import Feed
from evalrpc_server.runner.reporting import Reporter
from evalrpc_server.store.port import Commit, ExperimentStore, OutboxRecord, StoreBusyError, StoreError

logger = logging.getLogger(__name__)

_MAX_BATCH = 500
_MAX_PAUSE = 5.0

# Sending an event takes turns of the loop that busy trials leave few of. What watchers get before the next batch is more
# than their events take, so that one who reads keeps up, and it is bounded, so that one who does not slows nobody.
_WATCHERS_SECONDS = 0.005
_WATCHERS_SECONDS_PER_EVENT = 0.0002


class _Change(Struct, frozen=True):
    """A change of state; its fields replace the experiment's."""

    state: State
    time: datetime
    error: Error | None = None
    langfuse: LangfuseStatus | None = None
    conclusion: Conclusion = NOTHING_CONCLUDED


class _Result(Struct, frozen=True):
    """A result, and what its calls took."""

    result: ItemResult
    task: Spending
    evaluations: Spending


class _Wait(Struct, frozen=True):
    """The run waits for something, or does not any more."""

    waiting: Error | None


class _Settled(Struct, frozen=True):
    """What the run had to know before it could begin is known."""

    experiment: Experiment


T = TypeVar("T")

_Entry = _Result | RunEvaluations | _Change | _Wait | _Settled


class Recorder:
    """Gives what happens in a run its sequence, stores it in batches, and publishes it once it is durable.

    While one batch is being stored the next one gathers, so the busier the run, the fewer commits per result.
    """

    def __init__(
        self, experiment: Experiment, *, store: ExperimentStore, feed: Feed, clock: Clock, reporter: Reporter
    ) -> None:
        self._experiment = experiment
        self._store = store
        self._feed = feed
        self._clock = clock
        self._reporter = reporter
        self._waiting: list[tuple[_Entry, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._begun = experiment.progress.completed
        self._total = experiment.progress.total

    @property
    def experiment(self) -> Experiment:
        """The experiment as it is stored."""
        return self._experiment

    def begin_trial(self) -> None:
        """Counts a trial as in flight."""
        self._begun += 1

    def set_total(self, trials: int) -> None:
        """Notes how many trials there are in all."""
        self._total = trials

    async def record_result(
        self, result: ItemResult, *, task: Spending = NOTHING_SPENT, evaluations: Spending = NOTHING_SPENT
    ) -> None:
        """Stores and publishes a result, and counts what its calls took; returns when that is done."""
        await self._record(_Result(result, task, evaluations))

    async def record_run_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        """Stores and publishes what the run evaluators said; returns when that is done."""
        await self._record(RunEvaluations(tuple(evaluations)))

    async def change_state(
        self, state: State, error: Error | None = None, conclusion: Conclusion = NOTHING_CONCLUDED
    ) -> None:
        """Stores and publishes a change of state, and what is concluded at the end; returns when that is done."""
        langfuse = await self._delivered()
        await self._record(_Change(state, self._clock.now(), error, langfuse, conclusion))

    async def settle(self, settled: Experiment, reporter: Reporter) -> None:
        """Stores and publishes the spec and the record elsewhere as they are fixed from now on; returns when that is done."""
        await self._record(_Settled(settled))
        self._reporter = reporter

    async def note_waiting(self, waiting: Error | None) -> None:
        """Stores and publishes why nothing moves, or that nothing is in the way any more."""
        await self._record(_Wait(waiting))

    async def flush(self) -> None:
        """Waits until what was recorded is delivered elsewhere, as far as the experiment asks for that."""
        try:
            await self._reporter.flush(self._experiment)
        except Exception as error:  # noqa: BLE001  the fault is logged, the experiment ends all the same
            log_fault(error, f"delivery of experiment {self._experiment.id}")

    async def run(self) -> None:
        """Stores what arrives until cancelled. A store that fails is tried again until it works.

        Raises:
            StoreBusyError: another server has taken the store, and this one can never write again.
        """
        while True:
            await self._arrived.wait()
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            if not self._waiting:
                self._arrived.clear()
            commit = self._build([entry for entry, _ in batch])
            failpoints.reach("recorder.before_commit")
            await self._store_commit(commit)
            failpoints.reach("recorder.before_publish")
            self._experiment = commit.experiment
            self._feed.publish(commit.events)
            failpoints.reach("recorder.after_publish")
            for _, stored in batch:
                if not stored.done():
                    stored.set_result(None)
            await self._feed.taken(
                seconds=_WATCHERS_SECONDS + _WATCHERS_SECONDS_PER_EVENT * len(commit.events)
            )

    async def _record(self, entry: _Entry) -> None:
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, stored))
        self._arrived.set()
        await stored

    async def _delivered(self) -> LangfuseStatus | None:
        """Returns what became of the records so far; the change of state does not depend on it."""
        try:
            return await self._reporter.status(self._experiment)
        except Exception as error:  # noqa: BLE001  the fault is logged, the state changes all the same
            log_fault(error, f"delivery of experiment {self._experiment.id}")
            return self._experiment.langfuse

    async def _store_commit(self, commit: Commit) -> None:
        pause = 0.1
        while True:
            try:
                await self._store.commit(commit)
            except StoreBusyError:
                raise
            except StoreError as error:
                logger.warning(
                    "the store failed; trying again",
                    extra={"experiment_id": commit.experiment.id, "cause": str(error), "pause": pause},
                )
                await self._clock.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE)
            else:
                return

    def _build(self, entries: Sequence[_Entry]) -> Commit:
        experiment, now = self._experiment, self._clock.now()
        events: list[Event] = []
        outbox: list[OutboxRecord] = []
        for entry in entries:
            experiment, body, records = self._apply(experiment, entry)
            outbox.extend(records)
            events.append(
                Event(sequence=experiment.sequence, time=now, progress=experiment.progress, body=body)
            )
        respecified = any(isinstance(entry, _Settled) for entry in entries)
        return Commit(experiment=experiment, events=events, outbox=outbox, respecified=respecified)

    def _apply(
        self, experiment: Experiment, entry: _Entry
    ) -> tuple[Experiment, EventBody, Sequence[OutboxRecord]]:
        sequence = experiment.sequence + 1
        before = experiment.progress
        progress = Progress(
            total=self._total,
            completed=before.completed,
            failed=before.failed,
            retried=before.retried,
            in_flight=self._begun - before.completed,
        )
        if isinstance(entry, _Result):
            result = self._reporter.locate(entry.result)
            experiment = _with_result(experiment, sequence, progress, entry)
            return experiment, result, self._reported(self._reporter.item_records, experiment, result)
        experiment = replace(experiment, sequence=sequence, progress=progress)
        if isinstance(entry, RunEvaluations):
            experiment = replace(
                experiment,
                run_evaluations=entry.evaluations,
                evaluation_spending=experiment.evaluation_spending.plus(spent_on(entry.evaluations)),
            )
            return (
                experiment,
                entry,
                self._reported(self._reporter.run_records, experiment, entry.evaluations),
            )
        if isinstance(entry, _Wait):
            experiment = replace(experiment, waiting=entry.waiting)
        elif isinstance(entry, _Settled):
            settled = entry.experiment
            experiment = replace(
                experiment, spec=settled.spec, langfuse=settled.langfuse, unsettled=False, waiting=None
            )
        else:
            experiment = _with_change(experiment, entry)
        return experiment, experiment, ()

    @staticmethod
    def _reported(
        report: Callable[[Experiment, T], Sequence[OutboxRecord]], experiment: Experiment, what: T
    ) -> Sequence[OutboxRecord]:
        """Returns what is to be delivered; a bug in reporting must not cost the result itself."""
        try:
            return report(experiment, what)
        except Exception as error:  # noqa: BLE001  the fault is logged, the result is stored all the same
            log_fault(error, f"reporting of experiment {experiment.id}")
            return ()


def _with_result(experiment: Experiment, sequence: int, before: Progress, entry: _Result) -> Experiment:
    result = entry.result
    progress = Progress(
        total=before.total,
        completed=before.completed + 1,
        failed=before.failed + result.failed,
        retried=before.retried + len(result.outcome.retries),
        in_flight=before.in_flight - 1,
    )
    summaries = dict(experiment.summaries)
    for evaluation in result.evaluations:
        summaries[evaluation.name] = summaries.get(evaluation.name, RunningSummary()).add(evaluation)
    return replace(
        experiment,
        sequence=sequence,
        progress=progress,
        summaries=summaries,
        task_spending=experiment.task_spending.plus(entry.task),
        evaluation_spending=experiment.evaluation_spending.plus(entry.evaluations),
    )


def _with_change(experiment: Experiment, change: _Change) -> Experiment:
    started = experiment.start_time or (change.time if change.state is State.RUNNING else None)
    ended = change.time if change.state.final else None
    return replace(
        experiment,
        state=change.state,
        start_time=started,
        end_time=ended,
        error=change.error,
        langfuse=change.langfuse,
        statistics=change.conclusion.statistics,
        gates=change.conclusion.gates,
        waiting=experiment.waiting if change.state is State.RUNNING else None,
    )
