"""Results: what came of one trial of one item."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.usage import Usage


class Context(Struct, frozen=True, kw_only=True):
    """A passage that the task retrieved and used; `score` is the retriever's own, None when it gave none."""

    text: str
    id: str = ""
    source: str = ""
    score: float | None = None


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """A task attempt that failed and was retried: when it began, how long it took in seconds, and why it failed."""

    start_time: datetime
    duration: float
    error: Error


class TaskOutcome(Struct, frozen=True, kw_only=True):
    """How the task did on one trial, after its last attempt: an output or an error, never both.

    Attributes:
        output: what the task answered.
        contexts: the passages that it used.
        usage: what it consumed.
        metadata: what it said about its own answer.
        error: why it has no output.
        start_time: when the last attempt began.
        task_duration: seconds that the last attempt alone took: no queueing, no back-off.
        attempts: how often the task was called.
        retries: the attempts before the last one.
    """

    output: Document | None = None
    contexts: tuple[Context, ...] = ()
    usage: Usage | None = None
    metadata: Document | None = None
    error: Error | None = None
    start_time: datetime
    task_duration: float
    attempts: int
    retries: tuple[FailedAttempt, ...] = ()

    @property
    def end_time(self) -> datetime:
        """When the last attempt ended."""
        return self.start_time + timedelta(seconds=self.task_duration)


class EvaluatorCall(Struct, frozen=True):
    """When an evaluator worked on a result, waiting for its own limit included.

    Attributes:
        name: the evaluator's, as the spec has it.
        start: seconds from the task's end.
        duration: seconds.
        evaluations: how many it gave.
    """

    name: str
    start: float
    duration: float
    evaluations: int


class ItemResult(Struct, frozen=True, kw_only=True):
    """What came of one trial of one item; a failed item has a result too.

    Attributes:
        item: the item itself.
        trial: from 1 to the experiment's repetitions.
        outcome: how the task did.
        evaluations: what the evaluators said; empty when the task failed.
        evaluation_duration: seconds that the evaluators took together, by the clock.
        evaluator_calls: who gave the evaluations and when, in their order; the composite evaluator last.
        trace_id: 32 hex digits; the trace that the task was asked to join.
        trace_url: where the trace can be seen; empty without Langfuse.
    """

    item: Item
    trial: int
    outcome: TaskOutcome
    evaluations: tuple[Evaluation, ...] = ()
    evaluation_duration: float = 0.0
    evaluator_calls: tuple[EvaluatorCall, ...] = ()
    trace_id: str = ""
    trace_url: str = ""

    @property
    def evaluation_span(self) -> tuple[float, float]:
        """When the evaluators worked, from first to last, in seconds from the task's end."""
        if not self.evaluator_calls:
            return 0.0, self.evaluation_duration
        start = min(call.start for call in self.evaluator_calls)
        end = max(call.start + call.duration for call in self.evaluator_calls)
        return start, max(end, self.evaluation_duration)

    @property
    def failed(self) -> bool:
        """Whether the task gave no output."""
        return self.outcome.error is not None

    @property
    def size(self) -> int:
        """Characters in the result's texts, a measure of the memory it takes."""
        outcome = self.outcome
        texts = [
            outcome.output or "",
            outcome.metadata or "",
            *(context.text for context in outcome.contexts),
        ]
        comments = sum(len(evaluation.comment) for evaluation in self.evaluations)
        return self.item.size + sum(map(len, texts)) + comments + 1000
