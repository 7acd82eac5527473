"""Evaluators at work: bounded in time and number, and isolated, so that one that fails spoils nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.evaluators.port import Case, Evaluator, EvaluatorError, RunEvaluator
from evalrpc_server.runner.faults import fault


class Member(Struct, frozen=True):
    """An evaluator as the spec has it.

    Attributes:
        name: of its evaluations, unless it names them itself.
        reference: who judges, `name@version`.
    """

    name: str
    reference: str


class Judge(Struct, frozen=True, kw_only=True):
    """An evaluator of items, or several that are asked together and answer with one evaluation each.

    Attributes:
        members: whom the evaluations are from.
        evaluator: answers for all of them.
        timeout: seconds for one call.
        slots: its calls in flight.
    """

    members: Sequence[Member]
    evaluator: Evaluator
    timeout: float
    slots: asyncio.Semaphore

    async def judge(self, case: Case) -> list[tuple[Evaluation, ...]]:
        """Returns the evaluations of a case by member; where the evaluator failed, ones that say why."""
        stopwatch = Stopwatch(self.timeout)
        try:
            async with self.slots:
                with stopwatch:
                    found = await self.evaluator.evaluate(case)
        except EvaluatorError as error:
            return self._failed(error.error)
        except TimeoutError as error:
            return self._failed(_timeout(self.timeout) if stopwatch.expired else fault(error, str(self)))
        except Exception as error:  # noqa: BLE001  a bug in one evaluator must not spoil the others
            return self._failed(fault(error, str(self)))
        if len(self.members) == 1:
            return [tuple(_finished(evaluation, self.members[0]) for evaluation in found)]
        return [(_finished(each, member),) for each, member in zip(found, self.members, strict=True)]

    def __str__(self) -> str:
        return f"evaluator {' and '.join(member.name for member in self.members)}"

    def _failed(self, error: Error) -> list[tuple[Evaluation, ...]]:
        return [(_error(member, error),) for member in self.members]


class RunJudge(Struct, frozen=True, kw_only=True):
    """An evaluator of runs; `timeout` is in seconds."""

    member: Member
    evaluator: RunEvaluator
    timeout: float

    async def judge(
        self, experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
    ) -> tuple[Evaluation, ...]:
        """Returns the evaluations of a run; where the evaluator failed, one that says why."""
        stopwatch = Stopwatch(self.timeout)
        try:
            with stopwatch:
                found = await self.evaluator.evaluate_run(experiment, results)
        except EvaluatorError as error:
            return (_error(self.member, error.error),)
        except TimeoutError as error:
            late = _timeout(self.timeout) if stopwatch.expired else fault(error, str(self))
            return (_error(self.member, late),)
        except Exception as error:  # noqa: BLE001  a bug in one evaluator must not spoil the others
            return (_error(self.member, fault(error, str(self))),)
        return tuple(_finished(evaluation, self.member) for evaluation in found)

    def __str__(self) -> str:
        return f"run evaluator {self.member.name}"


def _finished(evaluation: Evaluation, member: Member) -> Evaluation:
    """Returns an evaluation with its name and author filled in; a value that is no finite number is an error."""
    value = evaluation.value
    if isinstance(value, float) and not math.isfinite(value):
        return _error(member, _NOT_FINITE, evaluation.name)
    if evaluation.name and evaluation.evaluator == member.reference:
        return evaluation
    return replace(evaluation, name=evaluation.name or member.name, evaluator=member.reference)


def _error(member: Member, error: Error, name: str = "") -> Evaluation:
    return Evaluation(name=name or member.name, evaluator=member.reference, error=error)


_NOT_FINITE = Error(
    reason=Reason.EVALUATOR_INVALID_ANSWER,
    message="The evaluator answered with a number that is not finite.",
    metadata={"field": "value"},
)


def _timeout(seconds: float) -> Error:
    return Error(
        reason=Reason.EVALUATOR_TIMEOUT,
        message=f"The evaluator gave no complete answer within {seconds:g} s; raise its timeout if it needs longer.",
        metadata={"timeout_seconds": f"{seconds:g}"},
        retryable=True,
    )
