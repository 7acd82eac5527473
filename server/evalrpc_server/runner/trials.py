"""The trials of a run: begun in the order of the data, as many at once as there are slots and room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.second_look import Kept
from evalrpc_server.domain.trace import trace_id
from evalrpc_server.runner.budget import Ledger
from evalrpc_server.runner.parts import Parts
from evalrpc_server.runner.pipeline import Calls
from evalrpc_server.runner.recorder import Recorder
from evalrpc_server.runner.slots import Room, Slots
from evalrpc_server.store.port import ExperimentStore

_ROOM_CHARACTERS = 32 * 1024 * 1024
_MOST_AHEAD = 64

_CANCELLED = Error(
    reason=Reason.CANCELLED, message="The experiment was cancelled while this item was in flight."
)


class Trials:
    """Begins the trials that have no result yet, and sees each through to its stored result.

    Args:
        recorder: stores the results.
        parts: what trials work with.
        store: knows which trials have a result.
        clock: dates what is cut off.
        notice: is called with the task of each trial that has ended.
    """

    def __init__(
        self,
        recorder: Recorder,
        parts: Parts,
        *,
        store: ExperimentStore,
        clock: Clock,
        notice: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._recorder = recorder
        self._parts = parts
        self._store = store
        self._clock = clock
        self._notice = notice
        spec = recorder.experiment.spec
        self._slots = Slots(spec.max_concurrency)
        self._room = Room(trials=max(4 * spec.max_concurrency, 1000), characters=_ROOM_CHARACTERS)
        self._ahead = asyncio.Semaphore(min(spec.max_concurrency, _MOST_AHEAD))
        self._running: set[asyncio.Task[None]] = set()
        self._ledger = Ledger(recorder.experiment, clock)
        self._working: set[asyncio.Task[None]] = set()
        self._closed = False
        self._cut: Error | None = None

    async def run(self) -> None:
        """Begins all trials, while the data may still be loading, and waits for their ends.

        Once a cap of the budget is reached, those that are left end with an error that says so.

        Raises:
            DataSourceError: the data cannot be read.
        """
        loading = asyncio.create_task(self._parts.collection.load())
        feeding = asyncio.create_task(self._begin())
        timing = asyncio.create_task(self._watch_time())
        try:
            await asyncio.wait({loading, feeding}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (loading, feeding):
                if task.done():
                    task.result()
            await self.finish()
        finally:
            await cut_off({loading, feeding, timing})

    def close(self) -> None:
        """Begins nothing new."""
        self._closed = True

    async def finish(self, grace: float | None = None) -> None:
        """Waits for the trials in flight, at most `grace` seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace)

    async def cancel(self) -> None:
        """Cuts off what is in flight and records it as cancelled."""
        self._closed, self._cut = True, _CANCELLED
        for task in self._running:
            task.cancel()
        await self.finish()

    async def drop(self) -> None:
        """Cuts off what is in flight and records nothing."""
        await cut_off(self._running)

    async def _begin(self) -> None:
        """Keeps a few trials waiting for a slot, so that a slot which frees is taken in the same moment."""
        async with contextlib.aclosing(self._due()) as due:
            async for item, trial, kept in due:
                await self._ahead.acquire()
                await self._room.enter(item.size)
                task = asyncio.create_task(self._run(item, trial, kept))
                self._running.add(task)
                task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._notice(task)

    async def _due(self) -> AsyncGenerator[tuple[Item, int, Kept | None]]:
        """Yields the trials that have no result yet, each with what is kept of an earlier one."""
        async with contextlib.AsyncExitStack() as closing:
            pending = await closing.enter_async_context(contextlib.aclosing(self._pending()))
            earlier = self._parts.earlier
            if earlier is None:
                async for item, trial in pending:
                    yield item, trial, None
                return
            walk = await closing.enter_async_context(earlier.walk())
            composite = self._parts.pipeline.composite is not None
            async for item, trial in pending:
                result = await walk.find(item.index, trial)
                if earlier.origin.looks_at(result):
                    yield item, trial, earlier.origin.keeps(result, composite=composite)

    async def _pending(self) -> AsyncGenerator[tuple[Item, int]]:
        """Yields the trials that have no result yet, in the order of the data."""
        experiment = self._recorder.experiment
        spec, resumed = experiment.spec, experiment.progress.completed > 0
        await self._note_total()
        async with contextlib.aclosing(self._parts.collection.pages(end=spec.dry_run_items)) as pages:
            async for page in pages:
                await self._note_total()
                first, last = page[0].index, page[-1].index
                done = (
                    await self._store.finished_trials(experiment.id, first=first, last=last)
                    if resumed
                    else ()
                )
                for item in page:
                    for trial in range(1, spec.repetitions + 1):
                        if (item.index, trial) not in done:
                            yield item, trial

    async def _note_total(self) -> None:
        experiment = self._recorder.experiment
        if experiment.progress.total is not None:
            return
        state = await self._parts.collection.state()
        if state.complete:
            spec = experiment.spec
            items = state.count if spec.dry_run_items is None else min(state.count, spec.dry_run_items)
            self._recorder.set_total(items * spec.repetitions)

    async def _run(self, item: Item, trial: int, kept: Kept | None) -> None:
        try:
            await self._take_slot()
            if self._closed:
                self._slots.release()
            elif (reason := self._ledger.exhausted()) and not self._parts.pipeline.needs_nothing(kept):
                self._slots.release()
                self._recorder.begin_trial()
                calls = Calls(self._ledger)
                await self._record(self._ended(item, trial, calls, reason), calls)
            else:
                calls = Calls(self._ledger)
                await self._record(await self._result(item, trial, kept, calls), calls)
        finally:
            self._room.leave(item.size)

    async def _record(self, result: ItemResult, calls: Calls) -> None:
        await self._recorder.record_result(
            result, task=calls.task_spending, evaluations=calls.evaluation_spending
        )
        self._parts.tell_stored(result.trace_id)
        self._enforce()

    async def _take_slot(self) -> None:
        try:
            await self._slots.acquire()
        finally:
            self._ahead.release()

    async def _result(self, item: Item, trial: int, kept: Kept | None, calls: Calls) -> ItemResult:
        self._recorder.begin_trial()
        working = asyncio.current_task()
        assert working, "trials are tasks"
        self._working.add(working)
        try:
            return await self._parts.pipeline.run(item, trial, self._slots, calls, kept)
        except asyncio.CancelledError:
            if self._cut is None:
                raise
            return self._ended(item, trial, calls, self._cut)
        finally:
            self._working.discard(working)

    def _ended(self, item: Item, trial: int, calls: Calls, reason: Error) -> ItemResult:
        outcome = calls.cut_off(self._clock.now(), reason)
        trace = trace_id(self._recorder.experiment.id, item.id, trial)
        return ItemResult(item=item, trial=trial, outcome=outcome, trace_id=trace)

    def _enforce(self) -> None:
        """Cuts off what is in flight once a hard cap of the budget is reached."""
        if self._cut is None:
            self._cut = self._ledger.overrun()
            if self._cut is not None:
                for task in self._working:
                    task.cancel()

    async def _watch_time(self) -> None:
        """Waits until the run may take no longer."""
        while self._cut is None and (left := self._ledger.seconds_left()) is not None:
            await self._clock.sleep(left)
            self._enforce()


async def cut_off(tasks: set[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits for their end; what they raise on the way is not wanted any more."""
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
