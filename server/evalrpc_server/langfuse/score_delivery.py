"""Sending scores: as arrays to `POST /scores`, or as events to `POST /ingestion` on servers that take no arrays."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evalrpc_server import __version__
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.api import Answer, ApiError, LangfuseApi
from evalrpc_server.langfuse.configs import ScoreConfigs
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.scores import with_run
from evalrpc_server.langfuse.sending import Settlement, is_refusal
from evalrpc_server.langfuse.server import LangfuseServer
from evalrpc_server.store.port import ExperimentStore, OutboxStore, QueuedRecord

MAX_BATCH_BYTES = 900_000
"""Scores in one request; `POST /scores` takes 1 MiB."""

MAX_BATCH_SCORES = 2000
"""At first; fewer where the server says that these are too many."""

_PAGE = 1000

_SCORES = "/api/public/scores"
_INGESTION = "/api/public/ingestion"
_JSON = {"content-type": "application/json"}
_TOO_MANY = re.compile(r"too[_ ](big|large|many)|at most", re.IGNORECASE)


class _Head(msgspec.Struct):
    """What an event's envelope repeats of a score."""

    id: str
    timestamp: str


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class ScoreBatch(Struct, frozen=True):
    """Scores that travel together: queued records, each with its payload as bytes."""

    queued: Sequence[QueuedRecord]
    payloads: Sequence[bytes]

    @property
    def positions(self) -> Sequence[int]:
        """The records' positions in the outbox."""
        return [one.position for one in self.queued]

    def halves(self) -> Sequence[ScoreBatch]:
        """Returns two batches with half of the records each."""
        middle = len(self.queued) // 2
        return [
            ScoreBatch(self.queued[part], self.payloads[part])
            for part in (slice(None, middle), slice(middle, None))
        ]


class ScoreSender:
    """Sends scores for one project. Ids and times are fixed, so that sending a score twice changes nothing.

    A record may hold several scores, of which each is answered for. Where one of them is refused, the record is split into
    one for each, so that what is kept is the refused score alone.

    Args:
        api: of the project.
        server: of the project.
        store: where records are split.
    """

    kind = records.SCORE
    parallel = 2
    page = _PAGE
    urgent = _PAGE

    def __init__(self, api: LangfuseApi, server: LangfuseServer, store: OutboxStore) -> None:
        self._api = api
        self._server = server
        self._store = store
        self._configs = ScoreConfigs(api)
        self._most = MAX_BATCH_SCORES

    def inherit(self, end: int) -> None:
        """Does nothing: what is sent twice is there once."""

    async def batches(self, queued: Sequence[QueuedRecord]) -> AsyncGenerator[ScoreBatch | Settlement]:
        """Yields batches within the limits of a request; scores that break their config are refused here."""
        chosen: list[QueuedRecord] = []
        payloads: list[bytes] = []
        size = count = 0
        for one in queued:
            payload = one.record.payload.encode("utf-8")
            if b'"configId":' in payload and (problem := await self._problem(payload)):
                yield await self._refused(one, payload, problem)
                continue
            if chosen and (size + len(payload) > MAX_BATCH_BYTES or count + one.record.records > self._most):
                yield ScoreBatch(chosen, payloads)
                chosen, payloads, size, count = [], [], 0, 0
            chosen.append(one)
            payloads.append(payload)
            size += len(payload)
            count += one.record.records
        if chosen:
            yield ScoreBatch(chosen, payloads)

    async def _problem(self, payload: bytes) -> str | None:
        """Returns why Langfuse would drop one of a record's scores after having taken it, or None."""
        for body in _bodies(payload):
            if problem := await self._configs.problem(body):
                return problem
        return None

    async def _refused(self, one: QueuedRecord, payload: bytes, problem: str) -> Settlement:
        """Refuses a score; a record with several of them is split first, to find the one."""
        if one.record.records == 1:
            return Settlement(rejected={one.position: problem})
        bodies = _bodies(payload)
        parts = [
            replace(one.record, id=_decode_head(body).id, payload=body.decode("utf-8"), records=1)
            for body in bodies
        ]
        await self._store.split_outbox(one.position, parts)
        return Settlement(deferred=[one.position])

    async def send(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends a batch in the way that the server takes."""
        if self._server.takes_score_arrays:
            return await self._send_array(batch)
        return await self._send_events(batch)

    async def _send_array(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends an array; its answer does not say which entries were refused, so that is found by halving."""
        entries = [payload[1:-1] if payload[:1] == b"[" else payload for payload in batch.payloads]
        try:
            answer = await self._api.request(
                "POST", _SCORES, content=b"[%b]" % b",".join(entries), headers=_JSON
            )
            problem = _refusal_among(answer)
        except ApiError as error:
            if error.status == 400 and "expected object" in error.text:
                self._server.note_score_arrays(taken=False)
                return await self._send_events(batch)
            if not is_refusal(error) or error.status == 404:
                raise
            problem = str(error)
            self._note_too_many(batch, error)
        if problem is None:
            return Settlement(accepted=batch.positions), ()
        return await self._narrowed(batch, problem)

    async def _send_events(self, batch: ScoreBatch) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Sends `score-create` events, each of which is answered for."""
        ids: list[list[str]] = []
        events: list[bytes] = []
        for payload in batch.payloads:
            bodies = _bodies(payload)
            heads = [_decode_head(body) for body in bodies]
            ids.append([head.id for head in heads])
            events += [
                b'{"id":%b,"type":"score-create","timestamp":%b,"body":%b}'
                % (_encode(head.id), _encode(head.timestamp), body)
                for head, body in zip(heads, bodies, strict=True)
            ]
        metadata = {"batch_size": len(events), "sdk_name": "evalrpc", "sdk_version": __version__}
        content = b'{"batch":[%b],"metadata":%b}' % (b",".join(events), _encode(metadata))
        try:
            answer = await self._api.request("POST", _INGESTION, content=content, headers=_JSON)
        except ApiError as error:
            if error.status in {404, 405, 410}:
                self._server.forget()
            if not is_refusal(error) or error.status == 404:
                raise
            self._note_too_many(batch, error)
            return await self._narrowed(batch, str(error))
        return await self._entry_by_entry(batch, ids, answer)

    def _note_too_many(self, batch: ScoreBatch, error: ApiError) -> None:
        """Learns how many scores the server takes at once; its limit is undocumented, and so is its way to tell it."""
        count = sum(one.record.records for one in batch.queued)
        if count > 1 and (error.status == 413 or _TOO_MANY.search(error.text)):
            self._most = max(1, min(self._most, count // 2))

    async def _narrowed(self, batch: ScoreBatch, problem: str) -> tuple[Settlement, Sequence[ScoreBatch]]:
        """Halves a batch that was refused, down to the one score that is."""
        if len(batch.queued) > 1:
            return Settlement(), batch.halves()
        return await self._refused(batch.queued[0], batch.payloads[0], problem), ()

    async def _entry_by_entry(
        self, batch: ScoreBatch, ids: Sequence[Sequence[str]], answer: Answer
    ) -> tuple[Settlement, Sequence[ScoreBatch]]:
        taken, refused = _answered(answer)
        accepted: list[int] = []
        rejected: dict[int, str] = {}
        deferred: list[int] = []
        left: list[int] = []
        for index, (one, own) in enumerate(zip(batch.queued, ids, strict=True)):
            problem = next((refused[identity] for identity in own if identity in refused), None)
            if problem is not None:
                settlement = await self._refused(one, batch.payloads[index], problem)
                rejected |= settlement.rejected
                deferred += settlement.deferred
            elif taken.issuperset(own):
                accepted.append(one.position)
            else:
                left.append(index)
        if len(left) == len(batch.queued):
            raise ApiError("took none of the scores", status=answer.status, retryable=True)
        rest = ScoreBatch([batch.queued[index] for index in left], [batch.payloads[index] for index in left])
        settlement = Settlement(accepted=accepted, rejected=rejected, deferred=deferred)
        return settlement, [rest] if left else []


class RunScoreStore(ExperimentStore, OutboxStore, Protocol):
    """What is needed to send the scores of runs."""


class RunScoreSender:
    """Sends the scores of runs whose id the server has still to give."""

    kind = records.RUN_SCORE
    parallel = 1
    page = _PAGE
    urgent = _PAGE

    def __init__(self, api: LangfuseApi, server: LangfuseServer, runs: Runs, store: RunScoreStore) -> None:
        self._scores = ScoreSender(api, server, store)
        self._runs = runs
        self._store = store

    def inherit(self, end: int) -> None:
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


def _answered(answer: Answer) -> tuple[set[str], dict[str, str]]:
    """Returns the ids that were taken, and why others were refused for good."""
    body = answer.json()
    try:
        taken = {str(entry["id"]) for entry in body["successes"]}
        errors = [(str(entry["id"]), int(entry.get("status", 500)), entry) for entry in body["errors"]]
    except (KeyError, TypeError, ValueError):
        raise ApiError("answered /ingestion without successes and errors", status=answer.status) from None
    refused = {
        identity: f"Langfuse refused the score: {entry.get('message')}: {entry.get('error', '')}"
        for identity, status, entry in errors
        if 400 <= status < 500 and status not in {408, 429}
    }
    return taken, refused


def _bodies(payload: bytes) -> Sequence[bytes]:
    """Returns the bodies of the scores that a record holds."""
    return [bytes(raw) for raw in _decode_array(payload)] if payload[:1] == b"[" else [payload]
