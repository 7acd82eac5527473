"""What a spec, or a request, says about trials, gates, comparisons and plans."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Key, Name, OneOfModel, SpecModel
from evalrpc_server.domain.statistics.trials import Reducer, Reducers, Reduction

_MAX_PATH = 1000
_FEWEST_RUNS, _MOST_RUNS = 2, 10

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that is neither infinite nor NaN."""

Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""By how much a candidate may be worse than its baseline."""

Share = Annotated[float, Field(gt=0, lt=1)]
"""A probability that is neither impossible nor certain, such as a confidence."""


def _path(value: str) -> str:
    if value and not all(value.split(".")):
        raise PydanticCustomError(
            "path", "must be names of members joined by dots, such as document.id, without empty ones"
        )
    return value


MemberPath = Annotated[Key, Field(max_length=_MAX_PATH), AfterValidator(_path)]
"""A path within a JSON object, such as `document.id`; may be empty."""


class TrialReducer(SpecModel):
    """How the trials of an item become one value.

    Attributes:
        evaluation: the evaluation that it is for; empty for all that have none of their own.
        reduction: as the protobuf enum names it.
        k: how many trials, where the reduction counts those that pass.
        pass_threshold: from which number on a trial passes, likewise; default: 1.
    """

    evaluation: Key = ""
    reduction: str = "TRIAL_REDUCTION_MEAN"
    k: int = Field(default=0, ge=0)
    pass_threshold: Finite | None = None

    @model_validator(mode="after")
    def _fitting(self) -> TrialReducer:
        name = self.reduction.removeprefix("TRIAL_REDUCTION_")
        if name not in Reduction.__members__:
            known = ", ".join(f"TRIAL_REDUCTION_{each}" for each in Reduction)
            raise PydanticCustomError("reduction", f"must have a reduction of {known}")
        counting = Reduction(name).counts_passes
        if counting and self.k < 1:
            raise PydanticCustomError("k", f"must have a k of at least 1 for {self.reduction}")
        if not counting and (self.k or self.pass_threshold is not None):
            raise PydanticCustomError(
                "k",
                f"must have neither k nor pass_threshold for {self.reduction}, which does not count passes",
            )
        return self

    @property
    def reducer(self) -> Reducer:
        """The reducer that it describes."""
        reduction = Reduction(self.reduction.removeprefix("TRIAL_REDUCTION_"))
        threshold = 1.0 if self.pass_threshold is None else self.pass_threshold
        return Reducer(reduction, self.k, threshold)


def _one_each(reducers: tuple[TrialReducer, ...]) -> tuple[TrialReducer, ...]:
    seen: set[str] = set()
    for each in reducers:
        if each.evaluation in seen:
            whom = f"the evaluation {each.evaluation!r}" if each.evaluation else "all other evaluations"
            raise PydanticCustomError("repeated", "must have one reducer for {whom}", {"whom": whom})
        seen.add(each.evaluation)
    return reducers


TrialReducers = Annotated[tuple[TrialReducer, ...], Field(max_length=100), AfterValidator(_one_each)]
"""Reducers, at most one for each evaluation."""


def reducers_of(specs: tuple[TrialReducer, ...]) -> Reducers:
    """Returns the reducers that a spec describes."""
    own = {each.evaluation: each.reducer for each in specs}
    return Reducers(own, own.pop("", Reducer()))


class LangfuseRun(SpecModel):
    """A run recorded in Langfuse, by its dataset's and its own name; `project` as in the server's configuration."""

    dataset: Name
    run_name: Name
    project: str = ""


class RunRef(OneOfModel):
    """A run to compare: an experiment of this server by its id, or any run that Langfuse has."""

    id: Key | None = Field(default=None, min_length=1)
    langfuse_run: LangfuseRun | None = None

    def __str__(self) -> str:
        """The id or the run's name."""
        return self.langfuse_run.run_name if self.langfuse_run else self.id or ""


class GateStatistic(StrEnum):
    """The statistics of an item evaluation that a gate can look at."""

    MEAN = "GATE_STATISTIC_MEAN"
    LOWER_BOUND = "GATE_STATISTIC_LOWER_BOUND"
    UPPER_BOUND = "GATE_STATISTIC_UPPER_BOUND"
    MIN = "GATE_STATISTIC_MIN"
    MAX = "GATE_STATISTIC_MAX"
    ERROR_RATE = "GATE_STATISTIC_ERROR_RATE"


class GateComparison(StrEnum):
    """How a gate compares a value with its bound."""

    AT_LEAST = "GATE_COMPARISON_AT_LEAST"
    GREATER = "GATE_COMPARISON_GREATER"
    AT_MOST = "GATE_COMPARISON_AT_MOST"
    LESS = "GATE_COMPARISON_LESS"


class ThresholdGate(SpecModel):
    """A bound on a value."""

    statistic: GateStatistic = GateStatistic.MEAN
    comparison: GateComparison = GateComparison.AT_LEAST
    value: Finite = 0.0


class BaselineGate(SpecModel):
    """A bound on the difference to another run."""

    experiment: RunRef
    margin: Margin = 0.0
    fail_when_inconclusive: bool = False
    confidence: Share = 0.95
    lower_is_better: bool = False


class Gate(SpecModel):
    """Something that must hold for a run to pass; exactly one of the rules is set."""

    name: Annotated[str, Field(max_length=255)] = ""
    evaluation: Name
    threshold: ThresholdGate | None = None
    baseline: BaselineGate | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Gate:
        if (self.threshold is None) == (self.baseline is None):
            problem = "none is" if self.threshold is None else "both are"
            raise PydanticCustomError(
                "rule", f"must set exactly one of threshold and baseline; {problem} set"
            )
        return self


def _several(runs: tuple[RunRef, ...]) -> tuple[RunRef, ...]:
    if not _FEWEST_RUNS <= len(runs) <= _MOST_RUNS:
        raise PydanticCustomError(
            "runs", f"must name from {_FEWEST_RUNS} to {_MOST_RUNS} runs, the baseline first"
        )
    return runs


_Runs = Annotated[tuple[RunRef, ...], AfterValidator(_several)]


class ComparisonSpec(SpecModel):
    """A request to set runs beside a baseline, which is the first of them."""

    experiments: _Runs
    evaluations: tuple[Name, ...] = Field(default=(), max_length=1000)
    margins: dict[str, Margin] = Field(default_factory=dict)
    margin: Margin = 0.0
    confidence: Share = 0.95
    trial_reducers: TrialReducers = ()
    cluster_by: MemberPath = ""
    max_flips: int = Field(default=20, ge=0, le=1000)
    lower_is_better: tuple[Name, ...] = Field(default=(), max_length=1000)


class MeasuredVariances(SpecModel):
    """Variances from an experiment, or from two over the same items."""

    experiment_id: Annotated[Key, Field(min_length=1)]
    evaluation: Name
    candidate_id: Key = ""


class GivenVariances(SpecModel):
    """Variances as numbers."""

    between_items: Margin = 0.0
    baseline_within_item: Margin = 0.0
    candidate_within_item: Margin = 0.0


class PlanSpec(SpecModel):
    """A request for the size of an experiment."""

    difference: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    power: Share = 0.8
    significance: Share = 0.05
    measured: MeasuredVariances | None = None
    given: GivenVariances | None = None
    trials: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _one_source(self) -> PlanSpec:
        if (self.measured is None) == (self.given is None):
            problem = "none is" if self.given is None else "both are"
            raise PydanticCustomError(
                "variances", f"must set exactly one of measured and given; {problem} set"
            )
        return self
