"""Sending traces: results read back from the store, encoded, compressed and exported in large batches."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby

from evalrpc_server import __version__
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.otlp import Envelope
from evalrpc_server.langfuse.recent import RecentResults
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.spans import TraceEncoder
from evalrpc_server.langfuse.stream import Settlement, is_refusal
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
_EVENTS_PAGE = 250
_SLICE_SECONDS = 0.002
_ENCODERS = 64


@dataclass(frozen=True, slots=True)
class TraceBatch:
    """Traces that are exported together: their positions, and each one's encoded spans."""

    positions: Sequence[int]
    traces: Sequence[Sequence[bytes]]

    def halves(self) -> Sequence[TraceBatch]:
        """Returns two batches with half of the traces each."""
        middle = len(self.positions) // 2
        return [
            TraceBatch(self.positions[part], self.traces[part])
            for part in (slice(None, middle), slice(middle, None))
        ]


class TraceSender:
    """Exports traces for one project; no span of another project can get into a request of this one.

    Args:
        api: of the project.
        runs: which experiment of Langfuse's a trace belongs to.
        store: where the results are.
        recent: results that need not be read from the store.
    """

    kind = records.TRACE
    parallel = 3
    page = MAX_BATCH_TRACES

    def __init__(self, api: LangfuseApi, runs: Runs, store: ExperimentStore, recent: RecentResults) -> None:
        self._api = api
        self._runs = runs
        self._store = store
        self._recent = recent
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

    def inherit(self, queued: Sequence[QueuedRecord]) -> None:
        """Does nothing: what is sent twice is there once."""

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[TraceBatch | Settlement]:
        """Yields batches; an encoded trace is kept no longer than its batch."""
        positions: list[int] = []
        traces: list[Sequence[bytes]] = []
        size = 0
        for experiment_id, group in groupby(queued, key=lambda one: one.record.experiment_id):
            wanted = {int(one.record.payload): one.position for one in group}
            experiment = await self._experiment(experiment_id)
            deferred: list[int] = []
            began = time.monotonic()
            if experiment is not None:
                async with aclosing(self._results(experiment_id, sorted(wanted))) as results:
                    async for sequence, result in results:
                        position = wanted.pop(sequence)
                        encoder = await self._encoder(experiment, result.trial)
                        if encoder is None:
                            deferred.append(position)
                            continue
                        spans = encoder.encode(result)
                        length = sum(map(len, spans))
                        if traces and (size + length > MAX_BATCH_BYTES or len(traces) >= MAX_BATCH_TRACES):
                            yield TraceBatch(positions, traces)
                            positions, traces, size = [], [], 0
                        positions.append(position)
                        traces.append(spans)
                        size += length
                        if time.monotonic() - began > _SLICE_SECONDS:
                            await asyncio.sleep(0)  # others on the loop go first
                            began = time.monotonic()
            gone = dict.fromkeys(wanted.values(), "its result is not in the store any more")
            if gone or deferred:
                yield Settlement(rejected=gone, deferred=deferred)
        if traces:
            yield TraceBatch(positions, traces)

    async def send(self, batch: TraceBatch) -> tuple[Settlement, Sequence[TraceBatch]]:
        """Exports a batch; one that is refused is halved until the bad trace is alone."""
        try:
            await self._export([span for spans in batch.traces for span in spans])
        except ApiError as error:
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

    async def _results(
        self, experiment_id: str, sequences: Sequence[int]
    ) -> AsyncGenerator[tuple[int, ItemResult]]:
        missing: list[int] = []
        for sequence in sequences:
            if (result := self._recent.take(experiment_id, sequence)) is not None:
                yield sequence, result
            else:
                missing.append(sequence)
        if not missing:
            return
        sequences, wanted, after = missing, set(missing), missing[0] - 1
        while after < sequences[-1]:
            events = await self._store.read_events(
                experiment_id, after=after, limit=min(_EVENTS_PAGE, sequences[-1] - after)
            )
            if not events:
                return
            for event in events:
                if event.sequence in wanted and isinstance(event.body, ItemResult):
                    yield event.sequence, event.body
            after = events[-1].sequence

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
