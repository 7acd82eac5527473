"""The experiment as a stored resource: its state, its counts, its summary."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.gates import GateResult
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.second_look import Origin
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.statistics.intervals import DEFAULT_CONFIDENCE, mean_interval, rate_interval
from evalrpc_server.domain.statistics.summaries import MAX_LABELS, EvaluationSummary
from evalrpc_server.domain.usage import NOTHING_SPENT, Spending


class ExperimentRef(Struct, frozen=True, kw_only=True):
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


class Progress(Struct, frozen=True, kw_only=True):
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


class RunningSummary(Struct, frozen=True, kw_only=True):
    """The evaluations of one name over the trials so far; booleans count as 0 and 1.

    Attributes:
        n: evaluations with a value.
        unscored: evaluations without a value.
        errors: evaluations that failed.
        mean: of the numeric values; None where there are none.
        m2: sum of squared differences from the mean (Welford 1962), from which its scatter comes.
        numeric: how many values the mean is over.
        booleans: how many of them are booleans.
        min: the smallest value; `max` the greatest.
        labels: how often each label was given, at most `MAX_LABELS` of them.
    """

    n: int = 0
    unscored: int = 0
    errors: int = 0
    mean: float | None = None
    m2: float = 0.0
    numeric: int = 0
    booleans: int = 0
    min: float | None = None
    max: float | None = None
    labels: Mapping[str, int] = field(default_factory=dict)

    def add(self, evaluation: Evaluation) -> RunningSummary:
        """Returns the summary with one more evaluation in it."""
        given = evaluation.value
        if evaluation.error is not None:
            return replace(self, errors=self.errors + 1)
        if given is None:
            return replace(self, unscored=self.unscored + 1)
        if isinstance(given, str):
            return replace(self, n=self.n + 1, labels=self._labels_with(given))
        value, count, mean = float(given), self.numeric + 1, self.mean or 0.0
        delta = value - mean
        mean += value / count - mean / count
        return RunningSummary(
            n=self.n + 1,
            unscored=self.unscored,
            errors=self.errors,
            mean=mean,
            m2=min(self.m2 + delta * (value - mean), sys.float_info.max),
            numeric=count,
            booleans=self.booleans + isinstance(given, bool),
            min=value if self.min is None else min(self.min, value),
            max=value if self.max is None else max(self.max, value),
            labels=self.labels,
        )

    def _labels_with(self, label: str) -> Mapping[str, int]:
        if label not in self.labels and len(self.labels) >= MAX_LABELS:
            return self.labels
        return {**self.labels, label: self.labels.get(label, 0) + 1}

    def described(self, *, independent: bool) -> EvaluationSummary:
        """Returns what is known so far; standard error and interval only where the values are independent."""
        variance = max(self.m2, 0.0) / (self.numeric - 1) if self.numeric > 1 else 0.0
        found = EvaluationSummary(
            n=self.n,
            unscored=self.unscored,
            errors=self.errors,
            mean=self.mean,
            standard_deviation=math.sqrt(variance) if self.numeric > 1 else None,
            min=self.min,
            max=self.max,
            labels=self.labels,
        )
        if not independent or self.numeric < 2 or self.mean is None:
            return found
        error = math.sqrt(variance / self.numeric)
        if self.booleans == self.numeric:
            interval = rate_interval(self.mean, self.numeric, confidence=DEFAULT_CONFIDENCE)
        else:
            interval = mean_interval(self.mean, error, df=self.numeric - 1, confidence=DEFAULT_CONFIDENCE)
        return replace(found, standard_error=error, interval=interval)


class Experiment(Struct, frozen=True, kw_only=True):
    """One run of a spec. It outlives the call, the connection and the process.

    Attributes:
        id: given by the server.
        spec: what runs, with defaults filled in.
        items: the collection that the items are read from.
        state: where it is in its life.
        progress: how far it is.
        summaries: per evaluation name, over the results so far.
        statistics: per evaluation name, over all results; empty until the end.
        gates: what became of the spec's gates, in their order; empty until the end.
        run_evaluations: what the run evaluators said.
        sequence: number of the last stored event.
        registered: the registered evaluators that the spec refers to, by exact reference, as they were when the
            experiment was accepted.
        request_id: the caller's id for the request that made it; may be empty.
        create_time: when it was accepted; `start_time` and `end_time` are None until then.
        error: why it could not go on, where `state` is FAILED.
        langfuse: how it is recorded in Langfuse; None where it is not.
        task_spending: what the task's calls took.
        evaluation_spending: what the evaluators' own models took.
        origin: the experiment that this one looks at again; None where it looks at none.
        unsettled: whether it was accepted without asking Langfuse what it needs to know, which is done before it runs.
        waiting: why nothing moves at the moment; None where nothing is in the way.
    """

    id: str
    spec: ExperimentSpec
    items: str
    state: State = State.PENDING
    progress: Progress = Progress()
    summaries: Mapping[str, RunningSummary] = field(default_factory=dict)
    statistics: Mapping[str, EvaluationSummary] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()
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
    task_spending: Spending = NOTHING_SPENT
    evaluation_spending: Spending = NOTHING_SPENT
    origin: Origin | None = None
    unsettled: bool = False

    @property
    def evaluation_summaries(self) -> Mapping[str, EvaluationSummary]:
        """What is known of each evaluation, by name: over all results at the end, over those so far before."""
        if self.statistics:
            return self.statistics
        independent = self.spec.repetitions == 1 and not self.spec.cluster_by
        return {name: each.described(independent=independent) for name, each in self.summaries.items()}

    @property
    def ref(self) -> ExperimentRef:
        """What a task or evaluator is told of the experiment."""
        return ExperimentRef(id=self.id, name=self.spec.name, run_name=self.spec.run_name)
