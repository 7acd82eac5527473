"""What workers are asked, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence

from msgspec import Struct, field

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.port import Case
from evalrpc_server.targets.port import TaskAnswer, TaskCall
from evalrpc_server.workers.functions import FunctionRef


class TaskWork(Struct, frozen=True):
    """A call of a task."""

    call: TaskCall
    include_expected_output: bool


class ItemWork(Struct, frozen=True):
    """A case for an evaluator; `evaluator` names its evaluations."""

    case: Case
    evaluator: str


class RunWork(Struct, frozen=True):
    """A run for a run evaluator; the results are read anew for each worker that takes it."""

    experiment: ExperimentRef
    evaluator: str
    results: AsyncIterable[Sequence[ItemResult]]


class Work(Struct, frozen=True, kw_only=True):
    """One call of a hosted function.

    Attributes:
        function: what is called.
        payload: what it is called with.
        experiment_id: on whose behalf.
        unit: what the report will be stored with: a trial, by its trace id, or the run, by the experiment's id.
        timeout: seconds that the call may take; the caller enforces it.
        attempt: from 1.
        trace_context: `traceparent` and `baggage`, to be joined by the function's own spans.
    """

    function: FunctionRef
    payload: TaskWork | ItemWork | RunWork
    experiment_id: str
    unit: str
    timeout: float
    attempt: int = 1
    trace_context: Mapping[str, str] = field(default_factory=dict)


class Answered(Struct, frozen=True):
    """A task's answer."""

    answer: TaskAnswer


class Evaluated(Struct, frozen=True):
    """What an evaluator said."""

    evaluations: tuple[Evaluation, ...]


class Failed(Struct, frozen=True):
    """The function failed."""

    error: Error


class HandedBack(Struct, frozen=True):
    """The worker did not begin."""

    reason: str


Outcome = Answered | Evaluated | Failed
"""What becomes of a call."""


class WorkerLostError(Exception):
    """The worker that had a call is gone, or was silent for longer than its lease."""


class WorkTooLargeError(Exception):
    """A call does not fit into a message.

    Attributes:
        size_bytes: what it would take.
        limit_bytes: what there is.
    """

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the call takes {size_bytes} bytes; the limit is {limit_bytes} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
