"""Builtins that are asked together: one job on the executor, where each by itself would cost a hop of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.evaluators.builtin.evaluator import BuiltinItemEvaluator
from evalrpc_server.evaluators.builtin.judge import judge
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.chunks import Crash, where
from evalrpc_server.evaluators.executor import ExecutorBatcher, crash_error
from evalrpc_server.evaluators.port import Case

Question = tuple[str, Params, str]
"""What `judge` is told of a builtin: its name, its parameters, and the name of the evaluation."""


def judge_together(
    memo: dict[Any, Any], questions: Sequence[Question], case: Case
) -> list[Evaluation | Crash]:
    """Returns what each builtin says of a case; one that raised is that one's outcome alone."""
    found: list[Evaluation | Crash] = []
    for name, params, evaluation_name in questions:
        try:
            found.append(judge(memo, name, params, evaluation_name, case))
        except Exception as error:  # noqa: BLE001  the others are asked all the same
            found.append(Crash(type(error).__name__, where(error)))
    return found


class BuiltinPanel:
    """Several item-level builtins, all of which this server has.

    Args:
        members: in the order of their evaluations.
        batcher: runs them; it is the server's, and stays open.
    """

    reference = "builtin"

    def __init__(self, members: Sequence[BuiltinItemEvaluator], batcher: ExecutorBatcher) -> None:
        self._questions = tuple(member.question for member in members)
        self._batcher = batcher

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns one evaluation of each member.

        Raises:
            EvaluatorError: the executor failed.
        """
        size = case.item.size + len(case.output)
        found = await self._batcher.run(judge_together, self._questions, case, size=size)
        return [
            Evaluation(name=name, error=crash_error(answer, builtin).error)
            if isinstance(answer, Crash)
            else answer
            for answer, (builtin, _, name) in zip(found, self._questions, strict=True)
        ]

    async def aclose(self) -> None:
        """Holds nothing."""
