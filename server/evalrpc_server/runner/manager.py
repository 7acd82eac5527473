"""The manager: owns the live experiments of this process, from acceptance to their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext, suppress
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import (
    AlreadyExistsError,
    NotFoundError,
    OutOfRangeError,
    UnavailableError,
)
from evalrpc_server.domain.events import Checkpoint, Event
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.runner.comparison.conclusion import Conclusions
from evalrpc_server.runner.faults import log_fault
from evalrpc_server.runner.feed import Feed, Published
from evalrpc_server.runner.parts import Parts
from evalrpc_server.runner.recorder import Recorder
from evalrpc_server.runner.reporting import Reporter
from evalrpc_server.runner.run import Run
from evalrpc_server.store.port import Commit, Creation, ExperimentStore

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 15.0
"""How long a watcher hears nothing before it gets a checkpoint."""

_EVENTS_PAGE = 500
_RETRY_SECONDS = 5.0
_CANCEL_SECONDS = 5.0
_DRAIN_SECONDS = 5.0


class Assembly(Protocol):
    """Builds what a run works with from an experiment's spec."""

    async def parts(self, experiment: Experiment) -> Parts:
        """Returns the parts of one run."""

    async def settle(self, experiment: Experiment) -> tuple[Experiment, Reporter]:
        """Asks what was not asked when the experiment was accepted; returns it as it is from now on."""

    def reporter(self, experiment: Experiment) -> Reporter:
        """Returns what tells of the experiment elsewhere."""


class _Live(Struct, frozen=True):
    """An experiment that is in this process's hands."""

    feed: Feed
    run: Run
    task: asyncio.Task[None]


class Manager:
    """Starts, resumes, watches, cancels and drains experiments.

    At most `max_running` experiments run at once; the others are PENDING until one ends, oldest first.
    """

    def __init__(
        self,
        store: ExperimentStore,
        assembly: Assembly,
        clock: Clock,
        *,
        max_running: int = 100,
        conclusions: Conclusions | None = None,
    ) -> None:
        self._store = store
        self._assembly = assembly
        self._clock = clock
        self._conclusions = conclusions or Conclusions(store)
        self._places = asyncio.Semaphore(max_running)
        self._live: dict[str, _Live] = {}
        self._starting: set[asyncio.Task[Creation]] = set()
        self._draining = False

    async def recover(self) -> None:
        """Takes up every experiment that the store holds unfinished. To be called once, before serving."""
        for experiment in await self._store.unfinished_experiments():
            logger.info("resuming", extra={"experiment_id": experiment.id, "state": experiment.state})
            self._take(experiment)

    async def start(
        self,
        experiment: Experiment,
        *,
        items: Sequence[Item] = (),
        request_id: str = "",
        fingerprint: str = "",
        stop_if_left: bool = False,
    ) -> Experiment:
        """Stores a new experiment and lets it run; a known request id joins the experiment that it belongs to.

        A caller that leaves meanwhile changes nothing, what is stored runs; with `stop_if_left` it is stopped at once.

        Raises:
            AlreadyExistsError: the request id belongs to a request of other content.
            UnavailableError: the server is shutting down.
        """
        self._check_serving()
        starting = asyncio.create_task(self._create(experiment, items, request_id, fingerprint))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return _joined(await asyncio.shield(starting), request_id)
        except asyncio.CancelledError:
            if stop_if_left:
                starting.add_done_callback(self._stop_created)
            raise

    def _stop_created(self, starting: asyncio.Task[Creation]) -> None:
        if not starting.cancelled() and starting.exception() is None and starting.result().created:
            self.stop(starting.result().experiment.id)

    async def join(self, request_id: str, fingerprint: str) -> Experiment | None:
        """Returns the experiment that an earlier request of the same id and content started; None for a new id.

        Raises:
            AlreadyExistsError: the request id belongs to a request of other content.
        """
        creation = await self._store.find_request(request_id, fingerprint)
        return None if creation is None else _joined(creation, request_id)

    async def _create(
        self, experiment: Experiment, items: Sequence[Item], request_id: str, fingerprint: str
    ) -> Creation:
        accepted = replace(experiment, sequence=1)
        event = Event(sequence=1, time=accepted.create_time, progress=accepted.progress, body=accepted)
        creation = await self._store.create_experiment(
            Commit(experiment=accepted, events=[event]),
            request_id=request_id,
            fingerprint=fingerprint,
            items=items,
        )
        if creation.created:
            self._take(creation.experiment)
        return creation

    async def get(self, experiment_id: str) -> Experiment:
        """Returns an experiment as it is now.

        Raises:
            NotFoundError: there is none of that id.
        """
        if live := self._live.get(experiment_id):
            return live.run.experiment
        experiment = await self._store.get_experiment(experiment_id)
        if experiment is None:
            raise NotFoundError(
                Reason.EXPERIMENT_NOT_FOUND,
                f"no experiment has the id {experiment_id!r}",
                experiment_id=experiment_id,
            )
        return experiment

    async def describe(self, experiment_id: str) -> Experiment:
        """Returns an experiment as it is now, with what became of its records elsewhere.

        Raises:
            NotFoundError: there is none of that id.
        """
        return await self.refreshed(await self.get(experiment_id))

    def limits(self, experiment_id: str) -> Sequence[EndpointLimit]:
        """Returns how fast the endpoints of a live experiment may be called; those without a limit are left out."""
        live = self._live.get(experiment_id)
        return live.run.limits if live else ()

    async def refreshed(self, experiment: Experiment) -> Experiment:
        """Returns an experiment with what became of its records elsewhere by now."""
        if experiment.langfuse is None:
            return experiment
        return replace(experiment, langfuse=await self._assembly.reporter(experiment).status(experiment))

    async def watch(self, experiment_id: str, after: int = 0) -> AsyncGenerator[Published]:
        """Yields the stored events behind a sequence, in order and each once, until the experiment's last one.

        A watcher that is slow slows nobody: it falls back to reading the store in pages.

        Raises:
            NotFoundError: there is no such experiment.
            OutOfRangeError: the log does not reach that far.
            UnavailableError: the server shuts down; the watch may be resumed on the next one.
        """
        experiment = await self.get(experiment_id)
        if after > experiment.sequence:
            raise OutOfRangeError(
                Reason.SEQUENCE_NOT_REACHED,
                f"after_sequence is {after}, but the log ends at {experiment.sequence}",
                experiment_id=experiment_id,
                after_sequence=str(after),
                last_sequence=str(experiment.sequence),
            )
        position, live = after, self._live.get(experiment_id)
        with live.feed.watched() if live else nullcontext():
            while True:
                events = live.feed.since(position) if live else None
                if events is None:
                    page = await self._store.read_events(experiment_id, after=position, limit=_EVENTS_PAGE)
                    events = [Published(event) for event in page]
                for published in events:
                    yield published
                    position = published.event.sequence
                    if _is_last(published.event):
                        return
                if not events:
                    if live is None or live.feed.closed:
                        break
                    if not await live.feed.wait(position, seconds=CHECKPOINT_SECONDS):
                        yield self._checkpoint(live.run.experiment, position)
        experiment = await self.get(experiment_id)
        if not experiment.state.final:
            yield self._checkpoint(experiment, position, draining=True)
            raise _draining(last_sequence=str(position))

    def stop(self, experiment_id: str) -> None:
        """Asks an experiment to stop, without waiting; one that is not live is left as it is."""
        if live := self._live.get(experiment_id):
            live.run.cancel()

    async def cancel(self, experiment_id: str) -> Experiment:
        """Asks an experiment to stop and returns it; one that has ended already is left as it is.

        Raises:
            NotFoundError: there is no such experiment.
        """
        if live := self._live.get(experiment_id):
            live.run.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CANCEL_SECONDS):
                    while not (live.run.cancelling or live.feed.closed):
                        await live.feed.wait(live.feed.last_sequence, seconds=_CANCEL_SECONDS)
        return await self.get(experiment_id)

    async def drain(self, grace: float) -> None:
        """Lets items in flight finish for `grace` seconds, and hands the rest back to the store."""
        self._draining = True
        await asyncio.gather(*self._starting, return_exceptions=True)
        tasks = [live.task for live in self._live.values()]
        for live in self._live.values():
            live.run.drain(grace)
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=grace + _DRAIN_SECONDS)
            for task in stuck:  # the store does not answer; what is stored goes on after the restart
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)

    def _take(self, experiment: Experiment) -> None:
        feed = Feed(last_sequence=experiment.sequence)
        reporter = self._assembly.reporter(experiment)
        recorder = Recorder(experiment, store=self._store, feed=feed, clock=self._clock, reporter=reporter)
        run = Run(
            recorder,
            self._assembly.parts,
            settle=self._assembly.settle,
            places=self._places,
            store=self._store,
            clock=self._clock,
            conclusions=self._conclusions,
        )
        task = asyncio.create_task(self._execute(run, feed), name=f"experiment {experiment.id}")
        self._live[experiment.id] = _Live(feed, run, task)

    async def _execute(self, run: Run, feed: Feed) -> None:
        try:
            await run.execute()
        except Exception as error:  # noqa: BLE001  the last resort: the fault is logged, the other experiments go on
            log_fault(error, f"the run of experiment {run.experiment.id}")
        finally:
            del self._live[run.experiment.id]
            feed.close()

    def _checkpoint(self, experiment: Experiment, sequence: int, *, draining: bool = False) -> Published:
        body = Checkpoint(draining=draining)
        return Published(
            Event(sequence=sequence, time=self._clock.now(), progress=experiment.progress, body=body)
        )

    def _check_serving(self) -> None:
        if self._draining:
            raise _draining()


def _joined(creation: Creation, request_id: str) -> Experiment:
    if not creation.same_content:
        raise AlreadyExistsError(
            Reason.REQUEST_ID_REUSED,
            f"request_id {request_id} belongs to experiment {creation.experiment.id}, whose request was different; "
            "use a new request_id for a new experiment",
            request_id=request_id,
            experiment_id=creation.experiment.id,
        )
    return creation.experiment


def _draining(**metadata: str) -> UnavailableError:
    return UnavailableError(
        Reason.DRAINING,
        "the server is shutting down; repeat the call, or resume the watch, on the next one",
        retry_after=_RETRY_SECONDS,
        **metadata,
    )


def _is_last(event: Event) -> bool:
    return isinstance(event.body, Experiment) and event.body.state.final
