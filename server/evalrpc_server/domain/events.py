"""Events: what happened to an experiment, in the order in which it was stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment, Progress
from evalrpc_server.domain.results import ItemResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
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


@dataclass(frozen=True, slots=True)
class RunEvaluations:
    """The run evaluators have spoken."""

    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to here was sent.

    Attributes:
        draining: whether it is sent because the server shuts down; without it, nothing happened for a while.
    """

    draining: bool = False


EventBody = Experiment | ItemResult | RunEvaluations | Checkpoint
"""A change of state (as the experiment was then), a result, the run evaluations, or a checkpoint."""
