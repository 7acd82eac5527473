"""The experiment as a stored resource: its state, its counts, its summary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRef:
    """What a task or evaluator is told of the experiment.

    Attributes:
        result_count: how many results there are to judge; told to run evaluators only.
    """

    id: str
    name: str
    run_name: str
    result_count: int = 0


class State(StrEnum):
    """Where an experiment is in its life. The last three are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing happens to the experiment any more."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an experiment is, in trials.

    Attributes:
        total: trials to run; None until the data's end is known.
        completed: trials with a result, failed ones included.
        failed: trials whose result is an error.
        retried: task calls that were repeated.
        in_flight: trials begun and without a result.
    """

    total: int | None = None
    completed: int = 0
    failed: int = 0
    retried: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSummary:
    """The evaluations of one name over all results; booleans count as 0 and 1, labels only in `n`.

    Attributes:
        n: evaluations with a value.
        unscored: evaluations without a value.
        errors: evaluations that failed.
        mean: of the numeric values; None where there are none.
        m2: sum of squared differences from the mean (Welford 1962), from which the standard error comes.
        numeric: how many values the mean is over.
    """

    n: int = 0
    unscored: int = 0
    errors: int = 0
    mean: float | None = None
    m2: float = 0.0
    numeric: int = 0

    def add(self, evaluation: Evaluation) -> EvaluationSummary:
        """Returns the summary with one more evaluation in it."""
        if evaluation.error is not None:
            return replace(self, errors=self.errors + 1)
        if evaluation.value is None:
            return replace(self, unscored=self.unscored + 1)
        if isinstance(evaluation.value, str):
            return replace(self, n=self.n + 1)
        value, count, mean = float(evaluation.value), self.numeric + 1, self.mean or 0.0
        delta = value - mean
        mean += delta / count
        return replace(self, n=self.n + 1, numeric=count, mean=mean, m2=self.m2 + delta * (value - mean))

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean, from the sample standard deviation; None below two values."""
        if self.numeric < 2:
            return None
        return math.sqrt(max(self.m2, 0.0) / (self.numeric - 1) / self.numeric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One run of a spec. It outlives the call, the connection and the process.

    Attributes:
        id: given by the server.
        spec: what runs, with defaults filled in.
        items: the collection that the items are read from.
        state: where it is in its life.
        progress: how far it is.
        summaries: per evaluation name, over the results so far.
        run_evaluations: what the run evaluators said.
        sequence: number of the last stored event.
        registered: the registered evaluators that the spec refers to, by exact reference, as they were when the
            experiment was accepted.
        request_id: the caller's id for the request that made it; may be empty.
        create_time: when it was accepted; `start_time` and `end_time` are None until then.
        error: why it could not go on, where `state` is FAILED.
        langfuse: how it is recorded in Langfuse; None where it is not.
        waiting: why nothing moves at the moment; None where nothing is in the way.
    """

    id: str
    spec: ExperimentSpec
    items: str
    state: State = State.PENDING
    progress: Progress = Progress()
    summaries: Mapping[str, EvaluationSummary] = field(default_factory=dict)
    run_evaluations: tuple[Evaluation, ...] = ()
    sequence: int = 0
    registered: Mapping[str, EvaluatorSpec] = field(default_factory=dict)
    request_id: str = ""
    create_time: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    error: Error | None = None
    langfuse: LangfuseStatus | None = None
    waiting: Error | None = None

    @property
    def ref(self) -> ExperimentRef:
        """What a task or evaluator is told of the experiment."""
        return ExperimentRef(id=self.id, name=self.spec.name, run_name=self.spec.run_name)
