"""The evaluator ports: judging one item, and judging a run."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context, ItemResult
from evalrpc_server.domain.trace import span_id
from evalrpc_server.domain.usage import Usage


class Case(Struct, frozen=True, kw_only=True):
    """One item with the task's output, to be judged.

    Attributes:
        duration: seconds that the successful task attempt took.
        evaluations: what was said so far; only a composite evaluator gets any.
        trace_id: 32 hex digits.
    """

    experiment: ExperimentRef
    item: Item
    trial: int
    output: Document
    contexts: tuple[Context, ...] = ()
    usage: Usage | None = None
    duration: float = 0.0
    evaluations: tuple[Evaluation, ...] = ()
    trace_id: str = ""

    @property
    def span_id(self) -> str:
        """The parent for an evaluator's own spans, 16 hex digits; empty without a trace."""
        return span_id(self.trace_id, "evaluation") if self.trace_id else ""

    def with_evaluations(self, evaluations: tuple[Evaluation, ...]) -> Case:
        """Returns the case as a composite evaluator sees it."""
        return replace(self, evaluations=evaluations)


class EvaluatorError(Exception):
    """An evaluator failed. Its evaluation carries the error, and is never a value."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class Evaluator(Protocol):
    """Judges one item. The caller bounds its time and its concurrency."""

    @property
    def reference(self) -> str:
        """Who judges, `name@version`."""

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the evaluations of a case; those without a name get the evaluator's.

        Raises:
            EvaluatorError: it could not judge.
        """

    async def aclose(self) -> None:
        """Releases what the evaluator holds."""


class RunEvaluator(Protocol):
    """Judges a whole run."""

    @property
    def reference(self) -> str:
        """Who judges, `name@version`."""

    async def evaluate_run(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> Sequence[Evaluation]:
        """Returns the evaluations of a run from all its results, failed ones included, in item order and in chunks.

        Raises:
            EvaluatorError: it could not judge.
        """

    async def aclose(self) -> None:
        """Releases what the evaluator holds."""
