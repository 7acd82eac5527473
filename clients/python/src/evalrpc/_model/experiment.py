"""Experiments as the server describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from evalrpc._model.comparison import Verdict
from evalrpc._model.evaluation import Error, Evaluation
from evalrpc._model.plain import to_plain


class ExperimentState(StrEnum):
    """Where an experiment is in its life. SUCCEEDED means that every item has a result, though items may have failed."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens in this state."""
        return self in _ENDED


_ENDED = frozenset({ExperimentState.SUCCEEDED, ExperimentState.FAILED, ExperimentState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts trials.

    Attributes:
        total: trials to run; None until the data was read to its end.
        completed: trials with a result, failed ones included.
        failed: trials whose result is an error.
        retried: task calls that were repeats.
        in_flight: trials begun and without a result.
    """

    total: int | None = None
    completed: int = 0
    failed: int = 0
    retried: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """Sums up the item evaluations of one name, after the trials of an item were reduced to one value.

    Attributes:
        name: the evaluations' name.
        n: evaluations with a value.
        unscored: evaluations without a value although nothing failed.
        errors: evaluations that failed.
        mean: of numbers; the share of true for booleans.
        standard_error: the mean's.
        standard_deviation: of the sample.
        interval: the mean's, low and high.
        min: the smallest value.
        max: the greatest value.
        quantiles: values by probability.
        labels: how often each label was given.
        clusters: what the standard error counts; 0 if it counts independent values.
    """

    name: str
    n: int = 0
    unscored: int = 0
    errors: int = 0
    mean: float | None = None
    standard_error: float | None = None
    standard_deviation: float | None = None
    interval: tuple[float, float] | None = None
    min: float | None = None
    max: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    clusters: int = 0


@dataclass(frozen=True, slots=True)
class LangfuseStatus:
    """How an experiment is recorded in Langfuse: its page there, and how many records are on their way."""

    project: str
    experiment_id: str | None = None
    dataset_run_id: str | None = None
    url: str | None = None
    queued: int = 0
    accepted: int = 0
    rejected: int = 0
    verified: int | None = None
    last_error: Error | None = None
    last_error_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What became of a gate of the spec; `verdict` is a baseline gate's."""

    name: str
    passed: bool
    message: str = ""
    value: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls to language models took so far; `unknown` calls did not say and are not in the sums."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """The experiment that another one looks at again.

    Attributes:
        experiment_id: the earlier experiment.
        kind: what is done with it: its outputs are evaluated anew, or what failed is repeated; None for what this version of
            the client does not know.
    """

    experiment_id: str
    kind: Literal["evaluate", "retry"] | None = None


@dataclass(frozen=True, slots=True)
class EndpointLimit:
    """How fast an endpoint may be called. All experiments of a server share it.

    Attributes:
        endpoint: its scheme, host and port.
        rate: calls per second that are let through at the moment.
        in_flight: calls in flight, those of other experiments included.
        paused_until: until when nothing is let through, as the endpoint asked.
    """

    endpoint: str
    rate: float = 0.0
    in_flight: int = 0
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One run of a spec over its data, as it is at the moment.

    Attributes:
        id: given by the server.
        name: the experiment's name.
        run_name: this run's name.
        state: where it is in its life.
        description: what the run is about.
        metadata: facts about the run.
        evaluators: the names of the item evaluators in the order of the spec, the composite evaluator's last.
        progress: how far it is.
        summaries: the item evaluations so far, one entry per name.
        run_evaluations: what the run evaluators said, failures included.
        langfuse: how it is recorded there; None if it is not.
        last_sequence: the sequence of its last event.
        create_time: when it was accepted.
        start_time: when it began.
        end_time: when it ended.
        error: why it could not go on; only in state FAILED.
        waiting: why nothing moves at the moment, such as NO_WORKER.
        gates: what became of the gates.
        task_spending: what the tasks took; None if none said.
        evaluation_spending: what the evaluators' models took.
        endpoint_limits: how fast the endpoints of its task and evaluators may be called; only `get` fills them in. Empty if none
            is limited.
        origin: the experiment that this one looks at again.
        request_id: the request id it was started with.
        spec: the spec with defaults filled in, in the JSON form of the contract; inline items are left out.
    """

    id: str
    name: str
    run_name: str
    state: ExperimentState
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    evaluators: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress)
    summaries: tuple[EvaluationSummary, ...] = ()
    run_evaluations: tuple[Evaluation, ...] = ()
    langfuse: LangfuseStatus | None = None
    last_sequence: int = 0
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    error: Error | None = None
    waiting: Error | None = None
    gates: tuple[GateResult, ...] = ()
    task_spending: Spending | None = None
    evaluation_spending: Spending | None = None
    endpoint_limits: tuple[EndpointLimit, ...] = ()
    origin: Origin | None = None
    request_id: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the experiment as what `json.dumps` takes, without what is None."""
        return to_plain(self)
