"""The arguments of `run()` and `start()` as an `ExperimentSpec`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from evalrpc._errors import InvalidRequestError, Violation, invalid
from evalrpc._model.evaluators import Upload
from evalrpc._spec.data import MAX_INLINE_BYTES, LangfuseDataset
from evalrpc._spec.evaluators import EvaluatorLike, evaluator_message
from evalrpc._spec.files import load_spec
from evalrpc._spec.parsing import Seconds, duration, parsed, struct
from evalrpc._spec.tasks import TaskLike, task_message
from evalrpc.v1 import experiment_spec_pb2, gate_pb2, item_pb2, langfuse_pb2

SpecLike = experiment_spec_pb2.ExperimentSpec | Mapping[str, Any] | str | Path
"""A whole spec: the contract's message, its JSON form, or a JSON or YAML file of that form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How failed attempts of a task are repeated: exponential back-off with full jitter. None leaves a default.

    Attributes:
        max_attempts: how often a trial's task may be called, the first time included; 3 by default.
        initial_backoff: the longest wait before the second attempt, in seconds; 0.5 by default.
        max_backoff: the longest wait before any attempt, in seconds; 30 by default.
        multiplier: how the longest wait grows from attempt to attempt; 2 by default.
    """

    max_attempts: int | None = None
    initial_backoff: Seconds | None = None
    max_backoff: Seconds | None = None
    multiplier: float | None = None

    def to_message(self) -> experiment_spec_pb2.RetryPolicy:
        """Returns the policy as the contract's message."""
        return experiment_spec_pb2.RetryPolicy(
            max_attempts=self.max_attempts,
            initial_backoff=None if self.initial_backoff is None else duration(self.initial_backoff),
            max_backoff=None if self.max_backoff is None else duration(self.max_backoff),
            multiplier=self.multiplier,
        )


class ExperimentFields(TypedDict, total=False):
    """What an experiment is made of; the keyword arguments of `run()` and `start()` besides its data.

    Each overrides what a `spec` given beside it says. None counts as not given.

    Attributes:
        name: names the experiment; its runs over time share the name.
        run_name: names this run; "<name> - <UTC time>" by default.
        description: what the run is about.
        metadata: facts about the run, such as the model under test.
        task: the application under test: a function, a URL, `HttpTask`, `GrpcTask`, `WorkerTask`, or any task of the contract
            in its JSON form.
        evaluators: what looks at each item's result: functions, `builtin(...)`, `http_evaluator(...)`, `grpc_evaluator(...)`,
            `worker_evaluator(...)`, `registered(...)`, or any of the contract in its JSON form.
        composite_evaluator: what sees an item's evaluations and adds its own.
        run_evaluators: what looks at all results once they are there.
        max_concurrency: how many task calls may be in flight at once; 50 by default.
        task_timeout: of one attempt of the task, in seconds; 120 by default.
        evaluator_timeout: of one attempt of an evaluator, in seconds; 60 by default.
        retry: how failed attempts are repeated; an int is the number of attempts.
        repetitions: how many trials each item gets; 1 by default.
        dry_run_items: run only the first so many items.
        langfuse_project: the Langfuse project to record in, by its name on the server.
        langfuse_sync: whether the end waits until Langfuse has everything; "background" by default.
        langfuse_sync_timeout: how long it waits, in seconds; 60 by default.
        trace: how traces are labelled in Langfuse: name, tags, session_id, user_id, environment.
        worker_wait: how long functions may be without a worker, in seconds; 60 by default.
        trial_reducers: how the trials of an item become one value per evaluation.
        gates: what must hold for the run to pass.
        budget: what the run may spend.
        cluster_by: the path within item metadata that tells which items belong together.
    """

    name: str | None
    run_name: str | None
    description: str | None
    metadata: Mapping[str, Any] | None
    task: TaskLike | None
    evaluators: Sequence[EvaluatorLike] | None
    composite_evaluator: EvaluatorLike | None
    run_evaluators: Sequence[EvaluatorLike] | None
    max_concurrency: int | None
    task_timeout: Seconds | None
    evaluator_timeout: Seconds | None
    retry: RetryPolicy | int | None
    repetitions: int | None
    dry_run_items: int | None
    langfuse_project: str | None
    langfuse_sync: Literal["background", "wait", "off"] | None
    langfuse_sync_timeout: Seconds | None
    trace: Mapping[str, Any] | None
    worker_wait: Seconds | None
    trial_reducers: Sequence[Mapping[str, Any] | gate_pb2.TrialReducer] | None
    gates: Sequence[Mapping[str, Any] | gate_pb2.Gate] | None
    budget: Mapping[str, Any] | gate_pb2.Budget | None
    cluster_by: str | None


_PLAIN = (
    "name", "run_name", "description", "max_concurrency", "repetitions", "dry_run_items", "langfuse_project", "cluster_by",
)  # fmt: skip
_DURATIONS = ("task_timeout", "evaluator_timeout", "langfuse_sync_timeout", "worker_wait")
_EVALUATORS = ("evaluators", "run_evaluators")


def build_spec(
    spec: SpecLike | None, fields: Mapping[str, Any], request_id: str | None
) -> tuple[experiment_spec_pb2.ExperimentSpec, str]:
    """Returns a spec with fields laid over it, apart from its data, and the request id to send with it.

    Raises:
        InvalidRequestError: something does not have the contract's form.
        TypeError: a field is unknown or of a wrong type.
        OSError: a spec's file cannot be read.
    """
    message, found_id = load_spec(spec) if spec is not None else (experiment_spec_pb2.ExperimentSpec(), "")
    for name, value in fields.items():
        if name not in ExperimentFields.__annotations__:
            raise TypeError(f"an experiment has no field {name!r}")
        if value is None:
            continue
        try:
            _lay(message, name, value)
        except InvalidRequestError:
            raise
        except (ValueError, OverflowError) as error:
            raise invalid([Violation(f"experiment.{name}", str(error))]) from None
    return message, request_id or found_id or str(uuid.uuid4())


def set_reference(message: experiment_spec_pb2.ExperimentSpec, data: str | Upload | LangfuseDataset) -> None:
    """Lets a spec refer to data that the server has or finds."""
    if isinstance(data, LangfuseDataset):
        message.langfuse_dataset.CopyFrom(data.to_message())
    else:
        message.upload = data.id if isinstance(data, Upload) else data


def large_items(message: experiment_spec_pb2.ExperimentSpec) -> list[item_pb2.Item] | None:
    """Returns the items of a spec that would be too large to send with them; None if it is not."""
    if message.items.ByteSize() <= MAX_INLINE_BYTES:
        return None
    return list(message.items.items)


def _lay(message: experiment_spec_pb2.ExperimentSpec, name: str, value: Any) -> None:
    path = f"experiment.{name}"
    if name in _PLAIN:
        setattr(message, name, value)
    elif name in _DURATIONS:
        getattr(message, name).CopyFrom(duration(value))
    elif name in _EVALUATORS:
        _replace(getattr(message, name), [evaluator_message(e, f"{path}[{i}]") for i, e in enumerate(value)])
    elif name == "task":
        message.task.CopyFrom(task_message(value))
    elif name == "composite_evaluator":
        message.composite_evaluator.CopyFrom(evaluator_message(value, path))
    elif name == "metadata":
        message.metadata.CopyFrom(struct(value, path))
    elif name == "retry":
        policy = RetryPolicy(max_attempts=value) if isinstance(value, int) else value
        message.retry.CopyFrom(policy.to_message())
    elif name == "langfuse_sync":
        message.langfuse_sync = langfuse_pb2.LangfuseSync.Value(f"LANGFUSE_SYNC_{value.upper()}")
    elif name == "trace":
        message.trace.CopyFrom(parsed(value, experiment_spec_pb2.TraceOptions(), path))
    elif name == "budget":
        message.budget.CopyFrom(parsed(value, gate_pb2.Budget(), path))
    elif name == "gates":
        _replace(message.gates, [parsed(g, gate_pb2.Gate(), f"{path}[{i}]") for i, g in enumerate(value)])
    else:
        reducers = [parsed(r, gate_pb2.TrialReducer(), f"{path}[{i}]") for i, r in enumerate(value)]
        _replace(message.trial_reducers, reducers)


def _replace(field: Any, messages: Sequence[object]) -> None:
    del field[:]
    field.extend(messages)
