"""The item pipeline: one trial of one item, from the task call to the result.

It depends on the spec and the item alone. It knows neither the store nor the stream, so that it can run anywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import EvaluatorCall, FailedAttempt, ItemResult, TaskOutcome
from evalrpc_server.domain.spec.experiment import RetrySpec
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.domain.trace import span_id, trace_id
from evalrpc_server.evaluators.port import Case
from evalrpc_server.runner.backoff import retry_delay
from evalrpc_server.runner.faults import fault
from evalrpc_server.runner.judging import Judge
from evalrpc_server.runner.slots import Slots, give_way
from evalrpc_server.targets.port import Target, TaskAnswer, TaskCall, TaskError

_Answer = tuple[tuple[Evaluation, ...], EvaluatorCall]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    start_time: datetime
    duration: float
    answer: TaskAnswer | None = None
    failure: TaskError | None = None


@dataclass(slots=True)
class TaskCalls:
    """The task calls of one trial so far, for whoever has to tell of it when it is cut off.

    Attributes:
        retries: the failed attempts behind it.
        start_time: when the attempt began that is under way; None where none is.
        outcome: how the task did, once that is known.
    """

    retries: list[FailedAttempt] = field(default_factory=list)
    start_time: datetime | None = None
    outcome: TaskOutcome | None = None

    def cut_off(self, now: datetime, error: Error) -> TaskOutcome:
        """Returns how the task did as it is told of a trial that ends here, for this reason, without an output."""
        if self.outcome is not None:
            return replace(self.outcome, output=None, error=error)
        attempts = [*self.retries, *self._under_way(now, error)]
        if not attempts:
            return TaskOutcome(start_time=now, task_duration=0.0, attempts=0, error=error)
        return TaskOutcome(
            start_time=attempts[-1].start_time,
            task_duration=attempts[-1].duration,
            attempts=len(attempts),
            retries=tuple(attempts[:-1]),
            error=error,
        )

    def _under_way(self, now: datetime, error: Error) -> list[FailedAttempt]:
        if self.start_time is None:
            return []
        seconds = (now - self.start_time).total_seconds()
        return [FailedAttempt(start_time=self.start_time, duration=seconds, error=error)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What a trial goes through, built once from an experiment's spec.

    Attributes:
        experiment: what tasks and evaluators are told of the experiment.
        target: the task.
        task_timeout: seconds for one attempt.
        retry: how a failed attempt is repeated.
        judges: the evaluators, which run at the same time.
        composite: the evaluator that sees what the others said.
        uniform: the source of jitter.
    """

    experiment: ExperimentRef
    target: Target
    task_timeout: float
    retry: RetrySpec
    judges: Sequence[Judge]
    composite: Judge | None
    clock: Clock
    uniform: Callable[[float, float], float] = random.uniform

    async def run(self, item: Item, trial: int, slots: Slots, calls: TaskCalls) -> ItemResult:
        """Runs one trial, and notes its task calls in `calls`.

        The caller holds a slot, which is given back as soon as no task call is in flight.
        """
        trace = trace_id(self.experiment.id, item.id, trial)
        if (oversized := item.oversized()) is not None:
            slots.release()
            unrun = TaskOutcome(
                start_time=self.clock.now(), task_duration=0.0, attempts=0, error=_too_large(*oversized)
            )
            return ItemResult(item=item, trial=trial, outcome=unrun, trace_id=trace)
        outcome = calls.outcome = await self._run_task(item, trial, trace, slots, calls)
        await give_way()
        began = self.clock.monotonic()
        evaluations, evaluator_calls = await self._judge(item, trial, trace, outcome, began)
        return ItemResult(
            item=item,
            trial=trial,
            outcome=outcome,
            evaluations=evaluations,
            evaluation_duration=self.clock.monotonic() - began if evaluations else 0.0,
            evaluator_calls=evaluator_calls,
            trace_id=trace,
        )

    async def aclose(self) -> None:
        """Releases what the target and the evaluators hold."""
        composite = [self.composite] if self.composite else []
        await asyncio.gather(
            self.target.aclose(), *(judge.evaluator.aclose() for judge in [*self.judges, *composite])
        )

    async def _run_task(
        self, item: Item, trial: int, trace: str, slots: Slots, calls: TaskCalls
    ) -> TaskOutcome:
        retries = calls.retries
        while True:
            calls.start_time = self.clock.now()
            number = len(retries) + 1
            call = TaskCall(
                experiment=self.experiment,
                item=item,
                trial=trial,
                attempt=number,
                timeout=self.task_timeout,
                trace_id=trace,
                span_id=span_id(trace, "task"),
            )
            try:
                attempt = await self._attempt(call)
            finally:
                slots.release()
            failure = attempt.failure
            if failure is None or not failure.error.retryable or number >= self.retry.max_attempts:
                return _outcome(attempt, retries)
            calls.start_time = None
            retries.append(
                FailedAttempt(start_time=attempt.start_time, duration=attempt.duration, error=failure.error)
            )
            if failure.backoff:
                await self.clock.sleep(retry_delay(self.retry, number, failure.retry_after, self.uniform))
            await slots.acquire()

    async def _attempt(self, call: TaskCall) -> _Attempt:
        answer, failure = None, None
        stopwatch = Stopwatch(call.timeout, self.clock)
        try:
            with stopwatch:
                answer = await self.target.call(call)
        except TaskError as error:
            failure = error
        except TimeoutError as error:
            failure = TaskError(_timeout(call) if stopwatch.expired else fault(error, "the task call"))
        except Exception as error:  # noqa: BLE001  a bug in a target is this trial's error, never the run's end
            failure = TaskError(fault(error, "the task call"))
        return _Attempt(
            start_time=stopwatch.start_time, duration=stopwatch.elapsed, answer=answer, failure=failure
        )

    async def _judge(
        self, item: Item, trial: int, trace: str, outcome: TaskOutcome, began: float
    ) -> tuple[tuple[Evaluation, ...], tuple[EvaluatorCall, ...]]:
        if outcome.output is None or not self.judges:
            return (), ()
        case = Case(
            experiment=self.experiment,
            item=item,
            trial=trial,
            output=outcome.output,
            contexts=outcome.contexts,
            usage=outcome.usage,
            duration=outcome.task_duration,
            trace_id=trace,
            span_id=span_id(trace, "evaluation"),
        )
        first, *others = self.judges
        tasks = [asyncio.create_task(self._ask(judge, case, began)) for judge in others]
        try:
            answers = await self._ask(first, case, began)
            for task in tasks:
                answers += await task
        finally:
            for task in tasks:
                task.cancel()
        if self.composite:
            seen = tuple(evaluation for evaluations, _ in answers for evaluation in evaluations)
            answers += await self._ask(self.composite, case.with_evaluations(seen), began)
        evaluations = tuple(evaluation for evaluations, _ in answers for evaluation in evaluations)
        return evaluations, tuple(call for _, call in answers)

    async def _ask(self, judge: Judge, case: Case, began: float) -> list[_Answer]:
        """Returns the answer of each of a judge's members."""
        asked = self.clock.monotonic()
        found = await judge.judge(case)
        duration = self.clock.monotonic() - asked
        return [
            (evaluations, EvaluatorCall(member.name, asked - began, duration, len(evaluations)))
            for member, evaluations in zip(judge.members, found, strict=True)
        ]


def _outcome(attempt: _Attempt, retries: Sequence[FailedAttempt]) -> TaskOutcome:
    answer, failure = attempt.answer, attempt.failure
    return TaskOutcome(
        output=answer.output if answer else None,
        contexts=answer.contexts if answer else (),
        usage=answer.usage if answer else None,
        metadata=answer.metadata if answer else None,
        error=failure.error if failure else None,
        start_time=attempt.start_time,
        task_duration=attempt.duration,
        attempts=len(retries) + 1,
        retries=tuple(retries),
    )


def _timeout(call: TaskCall) -> Error:
    return Error(
        reason=Reason.TASK_TIMEOUT,
        message=f"The task gave no complete answer within {call.timeout:g} s; raise task_timeout if it needs longer.",
        metadata={"timeout_seconds": f"{call.timeout:g}", "attempts": str(call.attempt)},
    )


def _too_large(name: str, size: int) -> Error:
    return Error(
        reason=Reason.PAYLOAD_TOO_LARGE,
        message=f"The item's {name} is {size} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes.",
        metadata={"limit_bytes": str(MAX_DOCUMENT_BYTES), "size_bytes": str(size)},
    )
