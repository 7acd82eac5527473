"""One live experiment: items in, slots, results out, run evaluations, end."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from evalrpc_server.datasets.port import DataSourceError
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.evaluators.port import EvaluatorError
from evalrpc_server.runner.comparison.conclusion import NOTHING_CONCLUDED, Conclusion, Conclusions
from evalrpc_server.runner.faults import fault, log_fault
from evalrpc_server.runner.hosting import Attendance, Hosting, RunError
from evalrpc_server.runner.parts import Parts
from evalrpc_server.runner.recorder import Recorder
from evalrpc_server.runner.settling import Settle, Settling
from evalrpc_server.runner.stored import StoredResults
from evalrpc_server.runner.trials import Trials, cut_off
from evalrpc_server.store.port import ExperimentStore

logger = logging.getLogger(__name__)


class _Stop(enum.Enum):
    CANCEL = "cancel"
    DRAIN = "drain"


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
        settle: Settle,
        places: asyncio.Semaphore,
        store: ExperimentStore,
        clock: Clock,
        conclusions: Conclusions,
    ) -> None:
        self._recorder = recorder
        self._build = build
        self._settle = settle
        self._places = places
        self._placed = False
        self._parts: Parts | None = None
        self._store = store
        self._clock = clock
        self._conclusions = conclusions
        self._conclusion = NOTHING_CONCLUDED
        self._trials: Trials | None = None
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

    @property
    def limits(self) -> Sequence[EndpointLimit]:
        """How fast the endpoints may be called; those without a limit are left out."""
        return self._parts.limits() if self._parts else ()

    def cancel(self) -> None:
        """Asks the run to cut off what is in flight and to end as CANCELLED."""
        self._stop_for(_Stop.CANCEL)

    def drain(self, grace: float) -> None:
        """Asks the run to begin nothing new, and after `grace` seconds to drop what is unfinished."""
        self._grace = grace
        self._stop_for(_Stop.DRAIN)

    def _stop_for(self, why: _Stop) -> None:
        if not self._stop.done():
            self._stop.set_result(why)
        if self._trials:
            self._trials.close()

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
            if self._trials:
                await self._trials.drop()
            await cut_off(self._supervising)
            await cut_off({recording})
            if self._broken.done() and not self._broken.cancelled():
                self._broken.exception()
            if self._parts:
                await self._parts.aclose()
            self._leave_place()

    async def _execute(self) -> None:
        if self.experiment.state is State.CANCELLING:
            self.cancel()
        stop = None
        for stage in (
            self._prepare,
            self._run_trials,
            self._judge_run,
            self._conclude,
            self._recorder.flush,
        ):
            stop = stop or await self._until_stopped(stage())
        if stop is None:
            await self._recorder.change_state(State.SUCCEEDED, conclusion=self._conclusion)
        elif stop is _Stop.CANCEL:
            await self._end_cancelled()
        elif self._trials:
            await self._trials.finish(self._grace)

    async def _prepare(self) -> None:
        if self.experiment.unsettled:
            await Settling(self._settle, self._recorder, self._clock).settle()
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
            await cut_off({working})

    async def _run_trials(self) -> None:
        self._trials = Trials(
            self._recorder, self._ready, store=self._store, clock=self._clock, notice=self._notice_fault
        )
        await self._trials.run()

    async def _judge_run(self) -> None:
        judges = self._ready.run_judges
        if not judges or self.experiment.run_evaluations:
            return
        results = StoredResults(self._store, self.experiment.id)
        experiment = replace(self.experiment.ref, result_count=self.experiment.progress.completed)
        groups = await asyncio.gather(*(judge.judge(experiment, results) for judge in judges))
        evaluations: list[Evaluation] = [evaluation for group in groups for evaluation in group]
        await self._recorder.record_run_evaluations(evaluations)
        self._ready.tell_stored(self.experiment.id)

    async def _conclude(self) -> None:
        self._conclusion = await self._concluded(self._conclusions.draw(self.experiment))

    async def _end(self, state: State, error: Error | None = None) -> None:
        """Ends the run before its end; its statistics are of the results that there are."""
        why = f"the experiment is {state}: it did not run to its end"
        conclusion = await self._concluded(self._conclusions.draw_unfinished(self.experiment, why))
        await self._recorder.change_state(state, error, conclusion)

    async def _concluded(self, drawing: Awaitable[Conclusion]) -> Conclusion:
        """Returns a conclusion; where that fails, one without statistics, whose gates fail."""
        try:
            return await drawing
        except Exception as error:  # noqa: BLE001  the end must come, with statistics or without
            log_fault(error, f"the statistics of experiment {self.experiment.id}")
            return self._conclusions.failed(self.experiment)

    async def _end_cancelled(self) -> None:
        if self.experiment.state is not State.CANCELLING:
            await self._recorder.change_state(State.CANCELLING)
        if self._trials:
            await self._trials.cancel()
        await self._end(State.CANCELLED)

    async def _fail(self, error: Error, recording: asyncio.Task[None]) -> None:
        if self._trials:
            await self._trials.drop()
        if recording.done():
            logger.critical("the log cannot be written; the experiment goes on after a restart")
        else:
            await self._end(State.FAILED, error)

    def _notice_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self._broken.done():
            self._broken.set_exception(error)
