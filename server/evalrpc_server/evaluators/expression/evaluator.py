"""Expressions as evaluators: evaluated in processes of their own, which may die of a hostile one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.spec.evaluators import ExpressionEvaluator as ExpressionSpec
from evalrpc_server.evaluators.executor import ExecutorBatcher, WorkerDiedError
from evalrpc_server.evaluators.expression.judging import exceeded, judge_by
from evalrpc_server.evaluators.port import Case, EvaluatorError

MAX_DEATHS = 2
"""After how many evaluations that ended their process an evaluator is not asked any more."""


class ExpressionEvaluator:
    """Judges items by an expression.

    Args:
        spec: found valid by `check_expression`.
        name: of its evaluations.
        batcher: runs it in processes that `limits` bounds; it is the server's, and stays open.
    """

    def __init__(self, spec: ExpressionSpec, name: str, batcher: ExecutorBatcher) -> None:
        self._expression = spec.expression
        self._name = name
        self._batcher = batcher
        self._deaths = 0
        self._asked: set[asyncio.Task[Evaluation]] = set()

    @property
    def reference(self) -> str:
        """Who judges: the evaluator's name."""
        return self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case.

        Raises:
            EvaluatorError: the executor failed, or the expression went beyond its bounds.
        """
        if self._deaths >= MAX_DEATHS:
            raise EvaluatorError(exceeded())
        size = case.item.size + len(case.output)
        asking = asyncio.create_task(
            self._batcher.run(judge_by, self._expression, self._name, case, size=size)
        )
        self._asked.add(asking)
        try:
            return [await asking]
        except WorkerDiedError:
            self._give_up()
            raise EvaluatorError(exceeded()) from None
        except asyncio.CancelledError:
            if self._deaths < MAX_DEATHS or _cancelled_from_outside():
                raise
            raise EvaluatorError(exceeded()) from None
        finally:
            asking.cancel()
            self._asked.discard(asking)

    async def aclose(self) -> None:
        """Holds nothing."""

    def _give_up(self) -> None:
        """Ends what is in flight once too many died: each would cost the processes that all expressions share."""
        self._deaths += 1
        if self._deaths >= MAX_DEATHS:
            for asking in self._asked:
                asking.cancel()


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
