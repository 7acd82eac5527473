"""One live experiment: items in, slots, results out, run evaluations, end."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Sequence,
)
from dataclasses import dataclass
from typing import Any

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult, TaskOutcome
from evalrpc_server.domain.trace import trace_id
from evalrpc_server.evaluators.port import EvaluatorError
from evalrpc_server.runner.collection import Collection
from evalrpc_server.runner.faults import fault
from evalrpc_server.runner.hosting import Attendance, Hosting, RunError
from evalrpc_server.runner.judging import RunJudge
from evalrpc_server.runner.pipeline import Pipeline
from evalrpc_server.runner.recorder import Recorder
from evalrpc_server.runner.slots import Room, Slots
from evalrpc_server.runner.stored import StoredResults
from evalrpc_server.store.port import ExperimentStore

logger = logging.getLogger(__name__)

_ROOM_CHARACTERS = 32 * 1024 * 1024
_MOST_AHEAD = 64


class _Stop(enum.Enum):
    CANCEL = "cancel"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run works with, all built from the experiment's spec; `hosting` where it needs workers."""

    pipeline: Pipeline
    run_judges: Sequence[RunJudge]
    collection: Collection
    hosting: Hosting | None = None

    async def aclose(self) -> None:
        """Releases what the parts hold."""
        await self.pipeline.aclose()
        await asyncio.gather(*(judge.evaluator.aclose() for judge in self.run_judges))
        if self.hosting:
            self.hosting.close()


class Run:
    """Drives one experiment from where the store left it to its end.

    It owns every task that it spawns. It waits for one of `places` before it begins. A run that is drained stops without
    an end, and goes on from the store later.
    """

    def __init__(
        self,
        recorder: Recorder,
        build: Callable[[Experiment], Awaitable[Parts]],
        *,
        places: asyncio.Semaphore,
        store: ExperimentStore,
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._build = build
        self._places = places
        self._placed = False
        self._parts: Parts | None = None
        self._store = store
        self._clock = clock
        spec = recorder.experiment.spec
        self._slots = Slots(spec.max_concurrency)
        self._room = Room(trials=max(4 * spec.max_concurrency, 1000), characters=_ROOM_CHARACTERS)
        self._ahead = asyncio.Semaphore(min(spec.max_concurrency, _MOST_AHEAD))
        self._trials: set[asyncio.Task[None]] = set()
        self._supervising: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[_Stop] = loop.create_future()
        self._broken: asyncio.Future[None] = loop.create_future()
        self._grace = 0.0

    @property
    def experiment(self) -> Experiment:
        """The experiment as it is stored."""
        return self._recorder.experiment

    @property
    def cancelling(self) -> bool:
        """Whether it is stored that the run is to end, or has ended."""
        return self.experiment.state is State.CANCELLING or self.experiment.state.final

    def cancel(self) -> None:
        """Asks the run to cut off what is in flight and to end as CANCELLED."""
        if not self._stop.done():
            self._stop.set_result(_Stop.CANCEL)

    def drain(self, grace: float) -> None:
        """Asks the run to begin nothing new, and after `grace` seconds to drop what is unfinished."""
        self._grace = grace
        if not self._stop.done():
            self._stop.set_result(_Stop.DRAIN)

    async def execute(self) -> None:
        """Runs until the experiment's end or a drain. A fault of the server ends it as FAILED."""
        recording = asyncio.create_task(self._recorder.run())
        recording.add_done_callback(self._notice_fault)
        try:
            await self._execute()
        except (DataSourceError, EvaluatorError, RunError) as error:
            await self._fail(error.error, recording)
        except Exception as error:  # noqa: BLE001  whatever goes wrong, the experiment must come to an end
            await self._fail(fault(error, f"experiment {self.experiment.id}"), recording)
        finally:
            await _cut_off(self._trials)
            await _cut_off(self._supervising)
            await _cut_off({recording})
            if self._broken.done() and not self._broken.cancelled():
                self._broken.exception()
            if self._parts:
                await self._parts.aclose()
            self._leave_place()

    async def _execute(self) -> None:
        if self.experiment.state is State.CANCELLING:
            self.cancel()
        stop = None
        for stage in (self._prepare, self._run_trials, self._judge_run, self._recorder.flush):
            stop = stop or await self._until_stopped(stage())
        if stop is None:
            await self._recorder.change_state(State.SUCCEEDED)
        elif stop is _Stop.CANCEL:
            await self._end_cancelled()
        elif self._trials:
            await asyncio.wait(self._trials, timeout=self._grace)

    async def _prepare(self) -> None:
        await self._take_place()
        self._parts = await self._build(self.experiment)
        if self._parts.hosting:
            await self._attend(self._parts.hosting)
        if self.experiment.state is State.PENDING:
            await self._recorder.change_state(State.RUNNING)

    async def _attend(self, hosting: Hosting) -> None:
        """Waits for workers, without a place meanwhile, and watches from then on that there are some."""
        attendance = Attendance(hosting, self._recorder, self._clock, self.experiment.spec.worker_wait)
        if hosting.absent() is not None:
            self._leave_place()
        await attendance.wait()
        await self._take_place()
        supervising = asyncio.create_task(attendance.supervise())
        supervising.add_done_callback(self._notice_fault)
        self._supervising.add(supervising)

    async def _take_place(self) -> None:
        if not self._placed:
            await self._places.acquire()
            self._placed = True

    def _leave_place(self) -> None:
        if self._placed:
            self._placed = False
            self._places.release()

    @property
    def _ready(self) -> Parts:
        assert self._parts, "the run has begun"
        return self._parts

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> _Stop | None:
        """Does the work, unless a stop comes first; then the work is cut off and the stop is returned."""
        working = asyncio.create_task(work)
        ends: list[asyncio.Future[Any]] = [working, self._stop, self._broken]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            if self._stop.done():
                return self._stop.result()
            await working
            return None
        finally:
            await _cut_off({working})

    async def _run_trials(self) -> None:
        loading = asyncio.create_task(self._ready.collection.load())
        feeding = asyncio.create_task(self._begin_trials())
        try:
            await asyncio.wait({loading, feeding}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (loading, feeding):
                if task.done():
                    task.result()
            if self._trials:
                await asyncio.wait(self._trials)
        finally:
            await _cut_off({loading, feeding})

    async def _begin_trials(self) -> None:
        """Keeps a few trials waiting for a slot, so that a slot which frees is taken in the same moment."""
        async with contextlib.aclosing(self._pending_trials()) as pending:
            async for item, trial in pending:
                await self._ahead.acquire()
                await self._room.enter(item.size)
                task = asyncio.create_task(self._run_trial(item, trial))
                self._trials.add(task)
                task.add_done_callback(self._notice_end)

    async def _pending_trials(self) -> AsyncGenerator[tuple[Item, int]]:
        """Yields the trials that have no result yet, in the order of the data."""
        spec, resumed = self.experiment.spec, self.experiment.progress.completed > 0
        await self._note_total()
        async with contextlib.aclosing(self._ready.collection.pages(end=spec.dry_run_items)) as pages:
            async for page in pages:
                await self._note_total()
                first, last = page[0].index, page[-1].index
                done = (
                    await self._store.finished_trials(self.experiment.id, first=first, last=last)
                    if resumed
                    else ()
                )
                for item in page:
                    for trial in range(1, spec.repetitions + 1):
                        if (item.index, trial) not in done:
                            yield item, trial

    async def _note_total(self) -> None:
        if self.experiment.progress.total is not None:
            return
        state = await self._ready.collection.state()
        if state.complete:
            spec = self.experiment.spec
            items = state.count if spec.dry_run_items is None else min(state.count, spec.dry_run_items)
            self._recorder.set_total(items * spec.repetitions)

    async def _run_trial(self, item: Item, trial: int) -> None:
        try:
            await self._take_slot()
            if self._stop.done():
                self._slots.release()
            else:
                result = await self._result(item, trial)
                await self._recorder.record_result(result)
                self._tell_stored(result.trace_id)
        finally:
            self._room.leave(item.size)

    def _tell_stored(self, unit: str) -> None:
        if hosting := self._ready.hosting:
            hosting.stored(unit)

    async def _take_slot(self) -> None:
        try:
            await self._slots.acquire()
        finally:
            self._ahead.release()

    async def _result(self, item: Item, trial: int) -> ItemResult:
        self._recorder.begin_trial()
        began = self._clock.now()
        try:
            return await self._ready.pipeline.run(item, trial, self._slots)
        except asyncio.CancelledError:
            if not self._cut_by_cancel:
                raise
            outcome = TaskOutcome(start_time=began, task_duration=0.0, attempts=0, error=_CANCELLED)
            trace = trace_id(self.experiment.id, item.id, trial)
            return ItemResult(item=item, trial=trial, outcome=outcome, trace_id=trace)

    @property
    def _cut_by_cancel(self) -> bool:
        return self._stop.done() and self._stop.result() is _Stop.CANCEL

    async def _judge_run(self) -> None:
        judges = self._ready.run_judges
        if not judges or self.experiment.run_evaluations:
            return
        results = StoredResults(self._store, self.experiment.id)
        groups = await asyncio.gather(*(judge.judge(self.experiment.ref, results) for judge in judges))
        evaluations: list[Evaluation] = [evaluation for group in groups for evaluation in group]
        await self._recorder.record_run_evaluations(evaluations)
        self._tell_stored(self.experiment.id)

    async def _end_cancelled(self) -> None:
        if self.experiment.state is not State.CANCELLING:
            await self._recorder.change_state(State.CANCELLING)
        for task in self._trials:
            task.cancel()
        if self._trials:
            await asyncio.wait(self._trials)
        await self._recorder.change_state(State.CANCELLED)

    async def _fail(self, error: Error, recording: asyncio.Task[None]) -> None:
        await _cut_off(self._trials)
        if recording.done():
            logger.critical("the log cannot be written; the experiment goes on after a restart")
        else:
            await self._recorder.change_state(State.FAILED, error)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        self._trials.discard(task)
        self._notice_fault(task)

    def _notice_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self._broken.done():
            self._broken.set_exception(error)


_CANCELLED = Error(
    reason=Reason.CANCELLED, message="The experiment was cancelled while this item was in flight."
)


async def _cut_off(tasks: set[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits for their end; what they raise on the way is not wanted any more."""
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
