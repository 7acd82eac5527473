"""What happens to an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from evalrpc._model.evaluation import Evaluation
from evalrpc._model.experiment import Experiment, Progress
from evalrpc._model.item_result import ItemResult

EventKind = Literal["experiment", "item_result", "run_evaluations"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an experiment; the server stored it before it sent it.

    Attributes:
        sequence: its number, from 1 and without gaps.
        kind: which of the next three tells what happened.
        experiment: the state changed, or something else the experiment shows. The first and the last event are such.
        item_result: a trial has its result; results come in the order of completion.
        run_evaluations: the run evaluators have spoken.
        progress: how far the experiment was then.
        time: when it happened.
    """

    sequence: int
    kind: EventKind
    experiment: Experiment | None = None
    item_result: ItemResult | None = None
    run_evaluations: tuple[Evaluation, ...] | None = None
    progress: Progress = field(default_factory=Progress)
    time: datetime | None = None
