"""Scores that callers write themselves, to traces of their own."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error


class Score(Struct, frozen=True, kw_only=True):
    """One score; what is scored is either a trace, or an observation in it, or a run.

    Attributes:
        id: given by the caller; empty for one that is derived from the content.
        value: a finite number, a truth value, or a category.
        trace_id: 32 hex digits; empty for a run.
        observation_id: 16 hex digits; empty for the trace as a whole.
        dataset_run_id: of the run; empty for a trace.
        metadata: a JSON object; None for none.
        config_id: of the score config that the value obeys; empty for none.
        time: when the verdict was reached; None for now.
        environment: empty for the project's.
    """

    name: str
    value: float | bool | str
    id: str = ""
    trace_id: str = ""
    observation_id: str = ""
    dataset_run_id: str = ""
    comment: str = ""
    metadata: Document | None = None
    config_id: str = ""
    time: datetime | None = None
    environment: str = ""


class Delivered(StrEnum):
    """How far something is on its way to Langfuse."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a score; `error` says why it was refused, or what has kept it so far."""

    id: str
    delivered: Delivered
    error: Error | None = None
