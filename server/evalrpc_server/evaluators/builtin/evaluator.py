"""Builtins as evaluators: judged on the executor, in the order and number that the batcher finds best."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.evaluators.builtin.judge import evaluation, judge, unscored
from evalrpc_server.evaluators.builtin.registry import Builtin, Fold, Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import read_params
from evalrpc_server.evaluators.builtin.verdicts import Unscored
from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.port import Case, EvaluatorError


class BuiltinItemEvaluator:
    """An item-level builtin with its parameters.

    Args:
        spec: found valid by `validate_builtin`.
        name: of its evaluations.
        batcher: runs it; it is the server's, and stays open.
    """

    def __init__(self, spec: BuiltinEvaluator, name: str, batcher: ExecutorBatcher) -> None:
        self._builtin = _find(spec.name, Level.ITEM)
        self._params = read_params(self._builtin, spec.params)
        self._name = name
        self._batcher = batcher

    @property
    def reference(self) -> str:
        """Who judges, `builtin/contains@1`."""
        return self._builtin.reference

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case.

        Raises:
            EvaluatorError: the executor failed.
        """
        size = case.item.size + len(case.output)
        return (
            await self._batcher.run(judge, self._builtin.name, self._params, self._name, case, size=size),
        )

    async def aclose(self) -> None:
        """Holds nothing."""


class BuiltinRunEvaluator:
    """A run-level builtin with its parameters.

    Args:
        spec: found valid by `validate_builtin`.
        name: of its evaluation.
    """

    def __init__(self, spec: BuiltinEvaluator, name: str) -> None:
        self._builtin = _find(spec.name, Level.RUN)
        self._params = read_params(self._builtin, spec.params)
        self._name = name

    @property
    def reference(self) -> str:
        """Who judges, `builtin/mean@1`."""
        return self._builtin.reference

    async def evaluate_run(
        self, _experiment: ExperimentRef, results: AsyncIterator[Sequence[ItemResult]], /
    ) -> Sequence[Evaluation]:
        """Returns the one evaluation of a run, folded chunk by chunk in a thread.

        In a thread and not through the batcher, because a fold keeps its state from chunk to chunk.
        """
        assert self._builtin.fold is not None
        fold = self._builtin.fold(self._params)
        try:
            async for chunk in results:
                await asyncio.to_thread(fold.add, chunk)
            return (await asyncio.to_thread(_verdict, self._builtin, self._name, fold),)
        except Unscored as reason:
            return (unscored(self._builtin, self._name, reason),)

    async def aclose(self) -> None:
        """Holds nothing."""


def _verdict(builtin: Builtin, name: str, fold: Fold) -> Evaluation:
    return evaluation(builtin, name, fold.verdict())


def _find(name: str, level: Level) -> Builtin:
    builtin = BUILTINS.get(name)
    if builtin is None or builtin.level is not level:
        # A spec that an older server accepted may name what this one does not have.
        raise EvaluatorError(
            Error(
                reason=Reason.EVALUATOR_FAILED,
                message=f"This server has no {level}-level builtin {name!r}; ListBuiltinEvaluators lists them.",
                metadata={"builtin": name},
            )
        )
    return builtin
