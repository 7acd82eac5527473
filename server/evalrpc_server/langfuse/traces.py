"""Sending traces: results read back from the store, encoded, compressed and exported in large batches."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import groupby

from msgspec import Struct

from evalrpc_server import __version__
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.otlp import Envelope
from evalrpc_server.langfuse.presence import Presence
from evalrpc_server.langfuse.results import Results
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.sending import Settlement, is_refusal
from evalrpc_server.langfuse.spans import TraceEncoder
from evalrpc_server.store.port import ExperimentStore, QueuedRecord

PATH = "/api/public/otel/v1/traces"

MAX_BATCH_BYTES = 4_000_000
"""Encoded spans in one request; Langfuse Cloud takes 5 MB."""

MAX_BATCH_TRACES = 1000

_HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
    # Version 4 is the path that keeps experiment attributes, and shows them at once.
    "x-langfuse-ingestion-version": "4",
}
_GONE = "its result is not in the store any more"
_SLICE_SECONDS = 0.002
_ENCODERS = 64


class TraceBatch(Struct):
    """Traces that are exported together.

    Attributes:
        positions: in the outbox.
        traces: the encoded spans of each.
        ids: of the traces.
        doubtful_until: when it can be told whether an attempt without an answer succeeded; None where all were answered.
    """

    positions: list[int]
    traces: list[Sequence[bytes]]
    ids: list[str]
    doubtful_until: float | None = None

    def add(self, position: int, trace_id: str, spans: Sequence[bytes]) -> None:
        """Adds a trace."""
        self.positions.append(position)
        self.ids.append(trace_id)
        self.traces.append(spans)

    def halves(self) -> Sequence[TraceBatch]:
        """Returns two batches with half of the traces each."""
        middle = len(self.positions) // 2
        return [
            TraceBatch(self.positions[part], self.traces[part], self.ids[part])
            for part in (slice(None, middle), slice(middle, None))
        ]


class TraceSender:
    """Exports traces for one project; no span of another project can get into a request of this one.

    Args:
        api: of the project.
        runs: which experiment of Langfuse's a trace belongs to.
        store: where experiments are.
        results: recent ones, and those in the store.
        presence: tells what may have arrived already.
        clock: for waiting.
    """

    kind = records.TRACE
    parallel = 2
    page = MAX_BATCH_TRACES
    urgent = MAX_BATCH_TRACES

    def __init__(
        self,
        api: LangfuseApi,
        runs: Runs,
        store: ExperimentStore,
        results: Results,
        *,
        presence: Presence,
        clock: Clock,
    ) -> None:
        self._api = api
        self._runs = runs
        self._store = store
        self._results = results
        self._presence = presence
        self._clock = clock
        self._visible = api.project.traces_shown_after
        # Records up to a position may have arrived already, which can be told from a time on.
        self._inherited = 0
        self._inherited_shown = 0.0
        self._experiments: dict[str, Experiment | None] = {}
        self._encoders: dict[tuple[str, int], TraceEncoder] = {}
        self._envelope = Envelope(
            {
                "service.name": "evalrpc-server",
                "service.version": __version__,
                "telemetry.sdk.name": "evalrpc",
                "telemetry.sdk.language": "python",
            },
            scope="evalrpc",
            version=__version__,
        )

    def inherit(self, end: int) -> None:
        """Has traces up to this position looked for before they are sent."""
        self._inherited = end
        self._inherited_shown = self._clock.monotonic() + self._visible

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[TraceBatch | Settlement]:
        """Yields batches; an encoded trace is kept no longer than its batch."""
        batch, size = TraceBatch([], [], []), 0
        for experiment_id, group in groupby(queued, key=lambda one: one.record.experiment_id):
            wanted = {int(one.record.payload): one.position for one in group}
            experiment = await self._experiment(experiment_id)
            if experiment is None:
                yield Settlement(rejected=dict.fromkeys(wanted.values(), _GONE))
                continue
            there = await self._shown(experiment, wanted)
            deferred: list[int] = []
            began = time.monotonic()
            async with aclosing(self._results.take(experiment_id, sorted(wanted))) as results:
                async for sequence, result in results:
                    position = wanted.pop(sequence)
                    encoder = await self._encoder(experiment, result.trial)
                    if encoder is None:
                        deferred.append(position)
                        continue
                    spans = encoder.encode(result)
                    length = sum(map(len, spans))
                    if batch.ids and (size + length > MAX_BATCH_BYTES or len(batch.ids) >= MAX_BATCH_TRACES):
                        yield batch
                        batch, size = TraceBatch([], [], []), 0
                    batch.add(position, result.trace_id, spans)
                    size += length
                    if time.monotonic() - began > _SLICE_SECONDS:
                        await asyncio.sleep(0)  # others on the loop go first
                        began = time.monotonic()
            gone = dict.fromkeys(wanted.values(), _GONE)
            if gone or deferred or there:
                yield Settlement(accepted=there, rejected=gone, deferred=deferred)
        if batch.ids:
            yield batch

    async def _shown(self, experiment: Experiment, wanted: dict[int, int]) -> list[int]:
        """Takes out what was exported before, as Langfuse shows, and returns its positions."""
        doubtful = [sequence for sequence, position in wanted.items() if position <= self._inherited]
        if not doubtful or not await self._presence.shows_spans():
            return []
        await self._clock.sleep(max(0.0, self._inherited_shown - self._clock.monotonic()))
        by_trial: dict[int, list[tuple[int, ItemResult]]] = {}
        async for sequence, result in self._results.read(experiment.id, sorted(doubtful)):
            by_trial.setdefault(result.trial, []).append((sequence, result))
        there: list[int] = []
        for trial, found in by_trial.items():
            if (encoder := await self._encoder(experiment, trial)) is None:
                continue
            starts = [result.outcome.start_time for _, result in found]
            shown = await self._presence.of_items(encoder.experiment_id, min(starts), max(starts))
            there += [wanted.pop(sequence) for sequence, result in found if result.trace_id in shown]
        return there

    async def send(self, batch: TraceBatch) -> tuple[Settlement, Sequence[TraceBatch]]:
        """Exports a batch; one that is refused is halved until the bad trace is alone."""
        if batch.doubtful_until is not None:
            await self._clock.sleep(max(0.0, batch.doubtful_until - self._clock.monotonic()))
            if await self._presence.of_trace(batch.ids[0]):  # an export is taken as a whole or not at all
                return Settlement(accepted=batch.positions), ()
            batch.doubtful_until = None
        try:
            await self._export([span for spans in batch.traces for span in spans])
        except ApiError as error:
            if error.sent:
                batch.doubtful_until = self._clock.monotonic() + self._visible
            if not is_refusal(error) or error.status == 404:
                raise
            if len(batch.positions) > 1:
                return Settlement(), batch.halves()
            if error.status == 413 and len(batch.traces[0]) > 1:
                return await self._send_span_by_span(batch), ()
            return Settlement(rejected={batch.positions[0]: str(error)}), ()
        return Settlement(accepted=batch.positions), ()

    async def _send_span_by_span(self, batch: TraceBatch) -> Settlement:
        """Exports a trace that is too large for one request; a span that is too large alone costs the trace."""
        try:
            for span in batch.traces[0]:
                await self._export([span])
        except ApiError as error:
            if not is_refusal(error):
                raise
            return Settlement(rejected={batch.positions[0]: str(error)})
        return Settlement(accepted=batch.positions)

    async def _export(self, spans: Sequence[bytes]) -> None:
        content = await asyncio.to_thread(_compress, self._envelope.wrap(spans))
        await self._api.request("POST", PATH, content=content, headers=_HEADERS)

    async def _experiment(self, experiment_id: str) -> Experiment | None:
        if experiment_id not in self._experiments:
            while len(self._experiments) >= _ENCODERS:
                self._experiments.pop(next(iter(self._experiments)))
            self._experiments[experiment_id] = await self._store.get_experiment(experiment_id)
        return self._experiments[experiment_id]

    async def _encoder(self, experiment: Experiment, trial: int) -> TraceEncoder | None:
        """Returns what encodes an experiment's trials; None while its id in Langfuse is unknown."""
        key = (experiment.id, trial)
        if (known := self._encoders.get(key)) is not None:
            return known
        identity = await self._runs.experiment_id(experiment, trial)
        if identity is None:
            return None
        if len(self._encoders) >= _ENCODERS:
            self._encoders.pop(next(iter(self._encoders)))
        encoder = self._encoders[key] = TraceEncoder(
            experiment,
            trial=trial,
            experiment_id=identity,
            environment=experiment.spec.trace.environment or self._api.project.environment,
        )
        return encoder


def _compress(pieces: Sequence[bytes]) -> bytes:
    # In one call: each call lets go of Python's global lock, and getting it back from a busy loop takes long.
    return gzip.compress(b"".join(pieces), compresslevel=1, mtime=0)
