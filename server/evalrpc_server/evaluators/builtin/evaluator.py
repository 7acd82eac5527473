"""Builtins as evaluators: judged on the executor, in the order and number that the batcher finds best."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence

from msgspec import Struct
from pydantic import ValidationError

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.spec.evaluators import BuiltinEvaluator
from evalrpc_server.evaluators.builtin.judge import evaluation, judge, unscored
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.builtin.registry import Builtin, Fold, Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import read_params
from evalrpc_server.evaluators.builtin.verdicts import Unscored
from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.port import Case, Evaluator, EvaluatorError
from evalrpc_server.outbound.outbound import Outbound


class _Ready(Struct, frozen=True):
    """A builtin with its parameters."""

    builtin: Builtin
    params: Params


class BuiltinItemEvaluator:
    """An item-level builtin with its parameters.

    Args:
        spec: found valid by `validate_builtin`.
        name: of its evaluations.
        batcher: runs it; it is the server's, and stays open.
    """

    def __init__(self, spec: BuiltinEvaluator, name: str, batcher: ExecutorBatcher) -> None:
        self._found = _find(spec, Level.ITEM)
        self._reference = _reference(spec, self._found)
        self._name = name
        self._batcher = batcher

    @property
    def reference(self) -> str:
        """Who judges, `builtin/contains@1`."""
        return self._reference

    @property
    def usable(self) -> bool:
        """Whether this server has the builtin, in the level and with the parameters that are asked for."""
        return isinstance(self._found, _Ready)

    @property
    def question(self) -> tuple[str, Params, str]:
        """What `judge` is told: the builtin's name, its parameters, and the name of the evaluation.

        Raises:
            EvaluatorError: this server has no such builtin.
        """
        ready = _ready(self._found)
        return ready.builtin.name, ready.params, self._name

    async def evaluate(self, case: Case) -> Sequence[Evaluation]:
        """Returns the one evaluation of a case.

        Raises:
            EvaluatorError: the executor failed, or this server has no such builtin.
        """
        size = case.item.size + len(case.output)
        return [await self._batcher.run(judge, *self.question, case, size=size)]

    async def aclose(self) -> None:
        """Holds nothing."""


class BuiltinRunEvaluator:
    """A run-level builtin with its parameters.

    Args:
        spec: found valid by `validate_builtin`.
        name: of its evaluation.
    """

    def __init__(self, spec: BuiltinEvaluator, name: str) -> None:
        self._found = _find(spec, Level.RUN)
        self._reference = _reference(spec, self._found)
        self._name = name

    @property
    def reference(self) -> str:
        """Who judges, `builtin/mean@1`."""
        return self._reference

    async def evaluate_run(
        self, _experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]], /
    ) -> Sequence[Evaluation]:
        """Returns the one evaluation of a run, folded chunk by chunk in a thread.

        In a thread and not through the batcher, because a fold keeps its state from chunk to chunk.

        Raises:
            EvaluatorError: this server has no such builtin.
        """
        ready = _ready(self._found)
        assert ready.builtin.fold is not None
        fold = ready.builtin.fold(ready.params)
        try:
            async for chunk in results:
                await asyncio.to_thread(fold.add, chunk)
            return [await asyncio.to_thread(_verdict, ready.builtin, self._name, fold)]
        except Unscored as reason:
            return [unscored(ready.builtin, self._name, reason)]

    async def aclose(self) -> None:
        """Holds nothing."""


def open_calling(spec: BuiltinEvaluator, name: str, outbound: Outbound) -> Evaluator | None:
    """Makes the evaluator of a builtin that calls models; None for any other, and for one that this server lacks."""
    found = _find(spec, Level.ITEM)
    if isinstance(found, Error) or found.builtin.open is None:
        return None
    return found.builtin.open(found.params, name, outbound)


def _verdict(builtin: Builtin, name: str, fold: Fold) -> Evaluation:
    return evaluation(builtin, name, fold.verdict())


def _find(spec: BuiltinEvaluator, level: Level) -> _Ready | Error:
    """Finds a builtin. One that another version of the server accepted may be unknown to this one."""
    builtin = BUILTINS.get(spec.name)
    if builtin is None or builtin.level is not level:
        return _unknown(f"this server has no {level}-level builtin {spec.name!r}", spec)
    try:
        return _Ready(builtin, read_params(builtin, spec.params))
    except ValidationError:
        return _unknown(f"this server's {spec.name} does not take these params", spec)


def _unknown(why: str, spec: BuiltinEvaluator) -> Error:
    return Error(
        reason=Reason.EVALUATOR_FAILED,
        message=f"The evaluator cannot judge: {why}; ListBuiltinEvaluators lists what there is.",
        metadata={"builtin": spec.name},
    )


def _ready(found: _Ready | Error) -> _Ready:
    if isinstance(found, Error):
        raise EvaluatorError(found)
    return found


def _reference(spec: BuiltinEvaluator, found: _Ready | Error) -> str:
    return f"builtin/{spec.name}" if isinstance(found, Error) else found.builtin.reference
