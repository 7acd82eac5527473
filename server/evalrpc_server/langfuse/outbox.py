"""Delivery: everything that is queued for one project, on its way to Langfuse for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.backoff import Backoff
from evalrpc_server.langfuse.connections import Connection
from evalrpc_server.langfuse.identity import run_url
from evalrpc_server.langfuse.links import LinkSender
from evalrpc_server.langfuse.presence import Presence
from evalrpc_server.langfuse.results import Results
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.score_delivery import RunScoreSender, ScoreSender
from evalrpc_server.langfuse.server import Generation
from evalrpc_server.langfuse.stream import LINGER_SECONDS, Stream
from evalrpc_server.langfuse.traces import TraceSender
from evalrpc_server.langfuse.verification import Verification
from evalrpc_server.store.port import ExperimentStore, OutboxCounts, OutboxRecord, OutboxStore

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_RESTART_SECONDS = 1.0
_VERIFY_SECONDS = 120.0
_VERIFY_PAUSE = 2.0
_MAX_VERIFIED = 10_000


class DeliveryStore(ExperimentStore, OutboxStore, Protocol):
    """What a delivery reads and writes."""


class Delivery:
    """Delivers one project's records. It never holds up who queues them.

    Args:
        connection: to the project.
        store: where records and results are.
        clock: for waiting.
        linger: seconds that records wait for company.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        store: DeliveryStore,
        clock: Clock,
        linger: float = LINGER_SECONDS,
    ) -> None:
        api, server = connection.api, connection.server
        self._project = connection.project
        self._store = store
        self._clock = clock
        self._server = server
        self._runs = Runs(api, server, clock, no_more_links=lambda: self._streams[records.LINK].idle)
        self._backoff = Backoff(api.project.name, clock)
        self._results = Results(store)
        self._changed = asyncio.Event()
        senders: Sequence[Any] = (
            TraceSender(api, self._runs, store, self._results, presence=Presence(api, server), clock=clock),
            ScoreSender(api, server, store),
            RunScoreSender(api, server, self._runs, store),
            LinkSender(api, server, self._runs, store, clock=clock, backoff=self._backoff, known=self.hurry),
        )
        self._streams: dict[str, Stream[Any]] = {
            sender.kind: Stream(
                api.project.name,
                sender,
                store=store,
                clock=clock,
                backoff=self._backoff,
                settled=self._wake,
                linger=linger,
            )
            for sender in senders
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._verification = Verification(api, server, self._runs)
        self._verifying: set[asyncio.Task[None]] = set()
        self._found: dict[str, int] = {}

    @property
    def base_url(self) -> str:
        """Where Langfuse is."""
        return self._project.base_url

    @property
    def project_id(self) -> str:
        """Langfuse's id of the project; empty until it is known."""
        return self._server.project_id

    @property
    def environment(self) -> str:
        """The environment of traces and scores, unless an experiment names its own."""
        return self._project.environment

    @property
    def last_error(self) -> Error | None:
        """What went wrong last; None where nothing has since the server's start."""
        trouble = self._backoff.trouble
        return trouble[0] if trouble else None

    def experiment_id(self, experiment: Experiment) -> str:
        """Returns the id of an experiment in Langfuse, with repetitions that of the first trials; empty until known."""
        return self._runs.known(experiment, 1)

    def start(self) -> None:
        """Begins to deliver what is queued."""
        self._tasks = [
            asyncio.create_task(self._keep_running(stream), name=f"langfuse {self._project.name} {kind}")
            for kind, stream in self._streams.items()
        ]

    async def close(self, seconds: float) -> None:
        """Delivers for at most so many seconds what is there, as long as Langfuse answers; the rest stays queued."""
        for stream in self._streams.values():
            stream.hold(1)
        try:
            async with asyncio.timeout(seconds):
                while not self._backoff.failing and not self._idle:
                    await _set_within(self._changed, _POLL_SECONDS)
        except TimeoutError:
            pass
        if not self._idle:
            logger.info("records for Langfuse stay queued", extra={"project": self._project.name})
        tasks = [*self._tasks, *self._verifying]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def keep(self, experiment_id: str, sequence: int, result: ItemResult) -> None:
        """Keeps a result at hand for its trace."""
        self._results.keep(experiment_id, sequence, result)

    def note(self, found: Sequence[OutboxRecord], /) -> None:
        """Tells that records are about to be stored."""
        for record in found:
            self._streams[record.kind].note(1)

    def hurry(self) -> None:
        """Has what is queued sent without waiting for more."""
        for stream in self._streams.values():
            stream.hurry()

    async def settled(self, experiment_id: str, seconds: float) -> None:
        """Waits until all of an experiment's records are answered for, at most so many seconds."""
        for stream in self._streams.values():
            stream.hold(1)
        try:
            async with asyncio.timeout(seconds):
                changed = self._changed
                while (await self._store.outbox_counts(experiment_id)).queued:
                    await _set_within(changed, _POLL_SECONDS)
                    changed = self._changed
        except TimeoutError:
            pass
        finally:
            for stream in self._streams.values():
                stream.hold(-1)

    async def verified(self, experiment: Experiment, seconds: float) -> None:
        """Reads an experiment back until all that was accepted is shown, at most so many seconds; where that is wanted."""
        if not self._project.verify:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._verify(experiment)
        except (TimeoutError, ApiError) as error:
            logger.info("not all was read back", extra={"experiment_id": experiment.id, "cause": str(error)})

    def verify_later(self, experiment: Experiment) -> None:
        """Does the same in the background, once everything is answered for."""
        if self._project.verify:
            task = asyncio.create_task(self._verify_later(experiment))
            self._verifying.add(task)
            task.add_done_callback(self._verifying.discard)

    async def _verify_later(self, experiment: Experiment) -> None:
        while (await self._store.outbox_counts(experiment.id)).queued:
            await _set_within(self._changed, _POLL_SECONDS)
        await self.verified(experiment, _VERIFY_SECONDS)

    async def _verify(self, experiment: Experiment) -> None:
        accepted = (await self._store.outbox_counts(experiment.id)).accepted
        while (found := await self._verification.count(experiment)) is not None:
            while len(self._found) >= _MAX_VERIFIED:
                self._found.pop(next(iter(self._found)))
            self._found[experiment.id] = found
            if found >= accepted:
                return
            await self._clock.sleep(_VERIFY_PAUSE)

    async def status(self, experiment: Experiment, known: LangfuseStatus) -> LangfuseStatus:
        """Returns what became of an experiment's records by now."""
        counts = await self._store.outbox_counts(experiment.id)
        error, time = self._last_error(counts)
        identity = self.experiment_id(experiment)
        return replace(
            known,
            experiment_id=identity,
            dataset_run_id=identity if known.dataset_id else "",
            url=self._url(known, identity),
            queued=counts.queued,
            accepted=counts.accepted,
            rejected=counts.rejected,
            last_error=error,
            last_error_time=time,
            verified=self._found.get(experiment.id, known.verified),
        )

    def _url(self, known: LangfuseStatus, identity: str) -> str:
        server = self._server.known
        if not identity or not self.project_id:
            return known.url
        if not known.dataset_id and server is not None and server.generation is Generation.LEGACY:
            return ""  # it shows runs of datasets only
        return run_url(
            self.base_url,
            self.project_id,
            mode=known.link_mode,
            experiment_id=identity,
            dataset_id=known.dataset_id,
        )

    def _last_error(self, counts: OutboxCounts) -> tuple[Error | None, datetime | None]:
        if counts.rejected:
            refused = Error(
                reason=Reason.LANGFUSE_REJECTED,
                message=counts.last_error,
                metadata={"project": self._project.name},
            )
            return refused, None
        if counts.queued and self._backoff.trouble:
            return self._backoff.trouble
        return None, None

    @property
    def _idle(self) -> bool:
        return all(stream.idle for stream in self._streams.values())

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _keep_running(self, stream: Stream[Any]) -> None:
        """Runs a stream whatever happens in it; a bug is logged, and tried again."""
        while True:
            try:
                await stream.run()
            except Exception:  # delivery must go on
                logger.exception("delivery to Langfuse failed", extra={"project": self._project.name})
                await self._clock.sleep(_RESTART_SECONDS)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
