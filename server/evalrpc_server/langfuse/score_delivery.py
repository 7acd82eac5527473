"""Sending scores: as arrays to `POST /scores`, or as events to `POST /ingestion` on servers that take no arrays."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

import msgspec

from evalrpc_server import __version__
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import Answer, ApiError, LangfuseApi
from evalrpc_server.langfuse.configs import ScoreConfigs
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.scores import with_run
from evalrpc_server.langfuse.server import LangfuseServer
from evalrpc_server.langfuse.stream import Settlement, is_refusal
from evalrpc_server.store.port import ExperimentStore, QueuedRecord

MAX_BATCH_BYTES = 900_000
"""Scores in one request; `POST /scores` takes 1 MiB."""

MAX_BATCH_SCORES = 500

_SCORES = "/api/public/scores"
_INGESTION = "/api/public/ingestion"
_JSON = {"content-type": "application/json"}


class _Head(msgspec.Struct):
    """What an event's envelope repeats of a score."""

    id: str
    timestamp: str


_decode_head = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """Scores that travel together: their positions and bodies."""

    positions: Sequence[int]
    bodies: Sequence[bytes]

    def halves(self) -> Sequence[ScoreBatch]:
        """Returns two batches with half of the scores each."""
        middle = len(self.positions) // 2
        return [
            ScoreBatch(self.positions[part], self.bodies[part])
            for part in (slice(None, middle), slice(middle, None))
        ]


class ScoreSender:
    """Sends scores for one project. Ids and times are fixed, so that sending a score twice changes nothing."""

    kind = records.SCORE
    parallel = 2
    page = MAX_BATCH_SCORES

    def __init__(self, api: LangfuseApi, server: LangfuseServer) -> None:
        self._api = api
        self._server = server
        self._configs = ScoreConfigs(api)

    def inherit(self, queued: Sequence[QueuedRecord]) -> None:
        """Does nothing: what is sent twice is there once."""

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[ScoreBatch | Settlement]:
        """Yields batches within the limits of a request; scores that break their config are refused here."""
        positions: list[int] = []
        bodies: list[bytes] = []
        size = 0
        for one in queued:
            body = one.record.payload
            if problem := await self._problem(body):
                yield Settlement(rejected={one.position: problem})
                continue
            encoded = body.encode("utf-8")
            if bodies and (size + len(encoded) > MAX_BATCH_BYTES or len(bodies) >= MAX_BATCH_SCORES):
                yield ScoreBatch(positions, bodies)
                positions, bodies, size = [], [], 0
            positions.append(one.position)
            bodies.append(encoded)
            size += len(encoded) + 1
        if bodies:
            yield ScoreBatch(positions, bodies)

    async def _problem(self, body: str) -> str | None:
        """Returns why Langfuse would drop a score after having taken it, or None."""
        return await self._configs.problem(body) if '"configId":' in body else None

    async def send(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends a batch in the way that the server takes."""
        if self._server.takes_score_arrays:
            return await self._send_array(batch)
        return await self._send_events(batch)

    async def _send_array(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends an array; its answer does not say which entries were refused, so that is found by halving."""
        content = b"[" + b",".join(batch.bodies) + b"]"
        try:
            answer = await self._api.request("POST", _SCORES, content=content, headers=_JSON)
            problem = _refusal_among(answer)
        except ApiError as error:
            if error.status == 400 and "expected object" in error.text:
                self._server.note_score_arrays(taken=False)
                return await self._send_events(batch)
            if not is_refusal(error) or error.status == 404:
                raise
            problem = str(error)
        if problem is None:
            return Settlement(accepted=batch.positions), ()
        if len(batch.positions) > 1:
            return Settlement(), batch.halves()
        return Settlement(rejected={batch.positions[0]: problem}), ()

    async def _send_events(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends `score-create` events, each of which is answered for."""
        heads = [_decode_head(body) for body in batch.bodies]
        events = [
            b'{"id":"%b","type":"score-create","timestamp":"%b","body":%b}'
            % (head.id.encode("ascii"), head.timestamp.encode("ascii"), body)
            for head, body in zip(heads, batch.bodies, strict=True)
        ]
        metadata = {"batch_size": len(events), "sdk_name": "evalrpc", "sdk_version": __version__}
        content = b'{"batch":[%b],"metadata":%b}' % (b",".join(events), msgspec.json.encode(metadata))
        try:
            answer = await self._api.request("POST", _INGESTION, content=content, headers=_JSON)
        except ApiError as error:
            if error.status in {404, 405, 410}:
                self._server.forget()
            if not is_refusal(error) or error.status == 404:
                raise
            if len(batch.positions) > 1:
                return Settlement(), batch.halves()
            return Settlement(rejected={batch.positions[0]: str(error)}), ()
        return _entry_by_entry(batch, [head.id for head in heads], answer)


class RunScoreSender:
    """Sends the scores of runs whose id the server has still to give."""

    kind = records.RUN_SCORE
    parallel = 1
    page = MAX_BATCH_SCORES

    def __init__(self, api: LangfuseApi, server: LangfuseServer, runs: Runs, store: ExperimentStore) -> None:
        self._scores = ScoreSender(api, server)
        self._runs = runs
        self._store = store

    def inherit(self, queued: Sequence[QueuedRecord]) -> None:
        """Does nothing: what is sent twice is there once."""

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[ScoreBatch | Settlement]:
        """Yields the scores of runs that have their id by now."""
        ready: list[QueuedRecord] = []
        deferred: list[int] = []
        for one in queued:
            experiment = await self._store.get_experiment(one.record.experiment_id)
            run = await self._runs.experiment_id(experiment, 1) if experiment else None
            if run is None:
                deferred.append(one.position)
            else:
                ready.append(
                    replace(one, record=replace(one.record, payload=with_run(one.record.payload, run)))
                )
        if deferred:
            yield Settlement(deferred=deferred)
        async for batch in self._scores.batches(ready):
            yield batch

    async def send(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends a batch as other scores are sent."""
        return await self._scores.send(batch)


def _refusal_among(answer: Answer) -> str | None:
    """Returns what the server says of the entries that it refused; None where it took all."""
    if answer.status != 207:
        return None
    body = answer.json()
    if not isinstance(body, dict) or not body.get("rejected"):
        return None
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    message = first.get("message", "no reason given") if isinstance(first, dict) else str(first)
    return f"Langfuse refused the score: {message}"


def _entry_by_entry(
    batch: ScoreBatch, ids: Sequence[str], answer: Answer
) -> tuple[Settlement, Sequence[ScoreBatch]]:
    body = answer.json()
    try:
        taken = {entry["id"] for entry in body["successes"]}
        errors = {entry["id"]: entry for entry in body["errors"]}
    except (KeyError, TypeError):
        raise ApiError("answered /ingestion without successes and errors", status=answer.status) from None
    accepted: list[int] = []
    rejected: dict[int, str] = {}
    left: list[int] = []
    for index, identity in enumerate(ids):
        position, error = batch.positions[index], errors.get(identity)
        if error is not None and 400 <= int(error.get("status", 500)) < 500 and error.get("status") != 429:
            rejected[position] = (
                f"Langfuse refused the score: {error.get('message')}: {error.get('error', '')}"
            )
        elif identity in taken:
            accepted.append(position)
        else:
            left.append(index)
    if left and not accepted and not rejected:
        raise ApiError("took none of the scores", status=answer.status, retryable=True)
    rest = ScoreBatch([batch.positions[index] for index in left], [batch.bodies[index] for index in left])
    return Settlement(accepted=accepted, rejected=rejected), [rest] if left else []
