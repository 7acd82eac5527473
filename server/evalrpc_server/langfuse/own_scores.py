"""Scores that callers write to traces and runs of their own, through the same outbox as the scores of experiments."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.scores import Delivered, Receipt, Score
from evalrpc_server.langfuse import records
from evalrpc_server.langfuse.connections import Connections
from evalrpc_server.langfuse.documents import iso, raw, to_json
from evalrpc_server.langfuse.identity import score_id
from evalrpc_server.store.port import OutboxRecord, OutboxStore


class Outlet(Protocol):
    """What delivers a project's records."""

    @property
    def last_error(self) -> Error | None:
        """What keeps records from being delivered now; None for nothing."""

    def note(self, records: Sequence[OutboxRecord]) -> None:
        """Tells that records are about to be stored."""

    async def settled(self, experiment_id: str, seconds: float) -> None:
        """Waits until all records of a group are answered for, at most so many seconds."""


class OwnScores:
    """Queues callers' scores, and waits for Langfuse's answers where a caller wants them.

    Args:
        connections: to the projects.
        outlet: returns what delivers the records of a project.
        store: where the records are queued.
        clock: tells when a call came.
    """

    def __init__(
        self, connections: Connections, outlet: Callable[[str], Outlet], store: OutboxStore, clock: Clock
    ) -> None:
        self._connections = connections
        self._outlet = outlet
        self._store = store
        self._clock = clock

    async def create(self, scores: Sequence[Score], *, project: str, seconds: float) -> list[Receipt]:
        """Stores scores to be delivered and returns what became of each, in their order.

        Args:
            scores: well-formed.
            project: by its name in the configuration; empty for the only one.
            seconds: for which to wait until Langfuse has answered; 0 for not at all.

        Raises:
            RequestError: there is no such project.
            StoreError: they cannot be stored.
        """
        chosen = self._connections.resolve(project).project
        outlet, now = self._outlet(chosen.name), self._clock.now()
        group = f"scores_{secrets.token_hex(10)}"
        bodies = [_body(score, now, chosen.environment) for score in scores]
        queued = [
            OutboxRecord(
                id=f"own-{hashlib.sha256(body.encode('utf-8')).hexdigest()[:40]}",
                experiment_id=group,
                project=chosen.name,
                kind=records.SCORE,
                payload=body,
            )
            for _, body in bodies
        ]
        outlet.note(queued)
        await self._store.add_outbox(queued)
        if seconds <= 0:
            return [Receipt(id=identity, delivered=Delivered.QUEUED) for identity, _ in bodies]
        await outlet.settled(group, seconds)
        states = await self._store.outbox_states([record.id for record in queued])
        kept = outlet.last_error
        receipts = list[Receipt]()
        for (identity, _), record in zip(bodies, queued, strict=True):
            state = states[record.id]
            error = kept if state.delivered is Delivered.QUEUED else None
            if state.delivered is Delivered.REJECTED:
                error = Error(
                    reason=Reason.LANGFUSE_REJECTED, message=state.error, metadata={"project": chosen.name}
                )
            receipts.append(Receipt(id=identity, delivered=state.delivered, error=error))
        return receipts


def _body(score: Score, now: datetime, environment: str) -> tuple[str, str]:
    """Returns a score's id, and its body as Langfuse takes it."""
    value, kind = score.value, "NUMERIC"
    if isinstance(value, bool):
        value, kind = int(value), "BOOLEAN"
    elif isinstance(value, str):
        kind = "CATEGORICAL"
    fields: dict[str, JsonValue] = {
        "name": score.name,
        "value": value,
        "dataType": kind,
        "comment": score.comment,
        "metadata": raw(score.metadata) if score.metadata is not None else None,
        "configId": score.config_id,
        "traceId": score.trace_id,
        "observationId": score.observation_id,
        "datasetRunId": score.dataset_run_id,
        "environment": score.environment or environment,
    }
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    content = to_json(given | ({"timestamp": iso(score.time)} if score.time else {}))
    identity = score.id or score_id("own", content)
    return identity, to_json({"id": identity, **given, "timestamp": iso(score.time or now)})
