"""The experiment as a caller describes it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.budget import Budget
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.fields import Key, Name, Seconds, SpecModel
from evalrpc_server.domain.spec.langfuse import LangfuseDataset, LangfuseSync, TraceOptions
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.domain.spec.verdicts import Gate, MemberPath, TrialReducers


class InlineItems(SpecModel):
    """The items came with the request; they are stored apart from the spec."""

    count: int = Field(ge=1)


class RetrySpec(SpecModel):
    """How a failed task call is repeated: exponential back-off with full jitter.

    Attributes:
        max_attempts: calls of one trial, the first included.
        initial_backoff: the longest wait before the second attempt, in seconds.
        max_backoff: the longest wait before any attempt, in seconds.
        multiplier: how the longest wait grows from attempt to attempt.
    """

    max_attempts: int = Field(default=3, ge=1, le=100)
    initial_backoff: Seconds = 0.5
    max_backoff: Seconds = 30.0
    multiplier: float = Field(default=2.0, ge=1, le=10)


DATA_SOURCES = ("items", "langfuse_dataset", "upload")
"""The fields of `ExperimentSpec` of which exactly one is set."""


class ExperimentSpec(SpecModel):
    """What to run over what, and how. Durations are in seconds.

    Attributes:
        name: of the experiment, shared by its runs.
        run_name: of this run; filled in when the experiment is accepted.
        metadata: attached to every trace.
        max_concurrency: task calls in flight at once.
        repetitions: trials of each item.
        langfuse_project: which configured project records the run; default: the only one.
        langfuse_sync_timeout: how long `LANGFUSE_SYNC_WAIT` holds the last event.
        worker_wait: how long functions may be without a worker before the experiment fails.
        budget: what the run may spend; None for any amount.
        dry_run_items: run only the first so many items; None for all.
        trial_reducers: how the trials of an item become one value, by evaluation.
        gates: what must hold for the run to pass.
        cluster_by: the path within item metadata that tells which items belong together; empty for none.
    """

    name: Name
    run_name: str = Field(default="", max_length=255)
    description: str = Field(default="", max_length=10_000)
    metadata: dict[str, Any] = Field(default_factory=dict)
    items: InlineItems | None = None
    langfuse_dataset: LangfuseDataset | None = None
    upload: Key | None = None
    task: TaskSpec
    evaluators: tuple[EvaluatorSpec, ...] = Field(default=(), max_length=100)
    composite_evaluator: EvaluatorSpec | None = None
    run_evaluators: tuple[EvaluatorSpec, ...] = Field(default=(), max_length=100)
    max_concurrency: int = Field(default=50, ge=1, le=10_000)
    task_timeout: Seconds = 120.0
    evaluator_timeout: Seconds = 60.0
    retry: RetrySpec = RetrySpec()
    repetitions: int = Field(default=1, ge=1, le=1000)
    langfuse_project: str = ""
    langfuse_sync: LangfuseSync = LangfuseSync.BACKGROUND
    langfuse_sync_timeout: Seconds = 60.0
    trace: TraceOptions = TraceOptions()
    worker_wait: Seconds = 60.0
    budget: Budget | None = None
    dry_run_items: int | None = Field(default=None, ge=1)
    trial_reducers: TrialReducers = ()
    gates: tuple[Gate, ...] = Field(default=(), max_length=100)
    cluster_by: MemberPath = ""

    @model_validator(mode="after")
    def _one_data_source(self) -> ExperimentSpec:
        given = [source for source in DATA_SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            problem = "none is" if not given else f"{' and '.join(given)} are"
            raise PydanticCustomError(
                "data", f"must set exactly one of {', '.join(DATA_SOURCES)}; {problem} set"
            )
        return self
