"""Events: what happened to an experiment, in the order in which it was stored."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, Progress
from evalrpc_server.domain.results import ItemResult


class Event(Struct, frozen=True, kw_only=True):
    """One entry of an experiment's log.

    Attributes:
        sequence: from 1, without gaps. A checkpoint is not stored and carries the sequence of the event before it.
        time: when it happened.
        progress: how far the experiment was then.
        body: what happened.
    """

    sequence: int
    time: datetime
    progress: Progress
    body: EventBody


class RunEvaluations(Struct, frozen=True):
    """The run evaluators have spoken."""

    evaluations: tuple[Evaluation, ...]


class Checkpoint(Struct, frozen=True):
    """Everything up to here was sent.

    Attributes:
        draining: whether it is sent because the server shuts down; without it, nothing happened for a while.
    """

    draining: bool = False


EventBody = Experiment | ItemResult | RunEvaluations | Checkpoint
"""A change of state (as the experiment was then), a result, the run evaluations, or a checkpoint."""
