"""Second looks: what a later experiment keeps of an earlier one's results, and what it does again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct, field

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.results import EvaluatorCall, ItemResult, TaskOutcome

Answer = tuple[tuple[Evaluation, ...], EvaluatorCall]
"""What an evaluator said of a result, and when."""


class OriginKind(StrEnum):
    """What a later experiment does with an earlier one."""

    EVALUATE = "EVALUATE"
    RETRY = "RETRY"


class RetryScope(StrEnum):
    """Which failed stages are repeated."""

    ALL = "ALL"
    TASKS = "TASKS"
    EVALUATIONS = "EVALUATIONS"


class Origin(Struct, frozen=True, kw_only=True):
    """The experiment that another one looks at again; `scope` counts for a RETRY only."""

    experiment_id: str
    kind: OriginKind
    scope: RetryScope = RetryScope.ALL

    @property
    def calls_task(self) -> bool:
        """Whether trials whose task failed, or was never called, call it."""
        return self.kind is OriginKind.RETRY and self.scope is not RetryScope.EVALUATIONS

    @property
    def evaluates(self) -> bool:
        """Whether failed evaluations are repeated."""
        return self.kind is OriginKind.RETRY and self.scope is not RetryScope.TASKS

    def looks_at(self, earlier: ItemResult | None) -> bool:
        """Whether a trial has a place in the later experiment; one without an earlier result only as a task to call."""
        return earlier is not None or self.calls_task

    def keeps(self, earlier: ItemResult | None, *, composite: bool) -> Kept | None:
        """Returns what is kept of a trial; None where all of it is done again.

        Args:
            earlier: what came of the trial; None for nothing.
            composite: whether the last evaluator that was called is a composite one.
        """
        if earlier is None or (earlier.failed and self.calls_task):
            return None
        if self.kind is OriginKind.EVALUATE:
            return Kept(outcome=earlier.outcome)
        answers = list(_answers(earlier))
        last = answers.pop() if composite and answers else None
        return Kept(
            outcome=earlier.outcome,
            answers={call.name: (said, call) for said, call in answers if not self._repeats(said)},
            composite=last if last and not self._repeats(last[0]) else None,
        )

    def _repeats(self, evaluations: tuple[Evaluation, ...]) -> bool:
        return self.evaluates and any(evaluation.error is not None for evaluation in evaluations)


class Kept(Struct, frozen=True, kw_only=True):
    """What a trial keeps of an earlier one.

    Attributes:
        outcome: how the task did.
        answers: what evaluators said, by their names; those that are missing are asked.
        composite: what the composite evaluator said; it is asked again where another one was.
    """

    outcome: TaskOutcome
    answers: Mapping[str, Answer] = field(default_factory=dict)
    composite: Answer | None = None


def _answers(result: ItemResult) -> Iterator[Answer]:
    first = 0
    for call in result.evaluator_calls:
        yield result.evaluations[first : first + call.evaluations], call
        first += call.evaluations
