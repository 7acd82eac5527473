"""The item pipeline: one trial of one item, from the task call to the result.

It depends on the spec and the item alone. It knows neither the store nor the stream, so that it can run anywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation, spent_on
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import EvaluatorCall, FailedAttempt, ItemResult, TaskOutcome
from evalrpc_server.domain.second_look import Answer, Kept
from evalrpc_server.domain.spec.experiment import RetrySpec
from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.domain.trace import span_id, trace_id
from evalrpc_server.domain.usage import NOTHING_SPENT, Spending, Usage
from evalrpc_server.evaluators.port import Case
from evalrpc_server.runner.backoff import retry_delay
from evalrpc_server.runner.budget import Ledger
from evalrpc_server.runner.faults import fault
from evalrpc_server.runner.judging import Judge
from evalrpc_server.runner.slots import Slots, give_way
from evalrpc_server.targets.port import Target, TaskAnswer, TaskCall, TaskError


class _Attempt(Struct, frozen=True, kw_only=True):
    start_time: datetime
    duration: float
    answer: TaskAnswer | None = None
    failure: TaskError | None = None


class _Asking(Struct, frozen=True):
    """What evaluators of one trial are asked with: kept answers, the trial's calls, the task's end (monotonic)."""

    kept: Kept
    calls: Calls
    task_end: float


class Calls(Struct):
    """The calls of one trial so far: what they took, and how far it is, should it be cut off.

    Attributes:
        ledger: the run's, which is told of everything at once.
        retries: the failed task attempts behind it.
        start_time: when the attempt began that is under way; None where none is.
        outcome: how the task did, once that is known.
        task_spending: what the task's calls took.
        evaluation_spending: what the evaluators' own models took.
    """

    ledger: Ledger
    retries: list[FailedAttempt] = field(default_factory=list)
    start_time: datetime | None = None
    outcome: TaskOutcome | None = None
    task_spending: Spending = NOTHING_SPENT
    evaluation_spending: Spending = NOTHING_SPENT

    def note_task(self, usage: Usage | None) -> None:
        """Adds what a task call took."""
        spent = NOTHING_SPENT.add(usage)
        self.task_spending = self.task_spending.plus(spent)
        self.ledger.add(spent)

    def note_evaluations(self, evaluations: Iterable[Evaluation]) -> None:
        """Adds what an evaluator's models took."""
        spent = spent_on(evaluations)
        if spent is not NOTHING_SPENT:
            self.evaluation_spending = self.evaluation_spending.plus(spent)
            self.ledger.add(spent)

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


class Pipeline(Struct, frozen=True, kw_only=True):
    """What a trial goes through, built once from an experiment's spec.

    Attributes:
        experiment: what tasks and evaluators are told of the experiment.
        target: the task.
        task_timeout: seconds for one attempt.
        retry: how a failed attempt is repeated.
        retry_timeouts: whether an attempt that timed out is repeated, though the task may still be at work.
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
    retry_timeouts: bool = False
    uniform: Callable[[float, float], float] = random.uniform

    async def run(
        self, item: Item, trial: int, slots: Slots, calls: Calls, kept: Kept | None = None
    ) -> ItemResult:
        """Runs one trial, but for what is kept of an earlier one, and notes its calls in `calls`.

        The caller holds a slot, which is given back as soon as no task call is in flight.
        """
        trace = trace_id(self.experiment.id, item.id, trial)
        if (oversized := item.oversized()) is not None:
            slots.release()
            unrun = TaskOutcome(
                start_time=self.clock.now(), task_duration=0.0, attempts=0, error=_too_large(*oversized)
            )
            return ItemResult(item=item, trial=trial, outcome=unrun, trace_id=trace)
        if kept is None:
            outcome = calls.outcome = await self._run_task(item, trial, trace, slots, calls)
            since = 0.0
        else:
            slots.release()
            outcome = calls.outcome = kept.outcome
            since = (self.clock.now() - outcome.end_time).total_seconds()
        await give_way()
        began = self.clock.monotonic()
        asking = _Asking(kept or Kept(outcome=outcome), calls, began - since)
        answers = await self._judge(item, trial, trace, asking)
        duration = self.clock.monotonic() - began
        return ItemResult(
            item=item,
            trial=trial,
            outcome=outcome,
            evaluations=tuple(evaluation for evaluations, _ in answers for evaluation in evaluations),
            evaluation_duration=duration if answers else 0.0,
            evaluator_calls=tuple(call for _, call in answers),
            trace_id=trace,
        )

    def needs_nothing(self, kept: Kept | None) -> bool:
        """Whether a trial that keeps so much calls neither the task nor an evaluator."""
        if kept is None:
            return False
        if kept.outcome.output is None or not self.judges:
            return True
        names = (member.name for judge in self.judges for member in judge.members)
        return all(name in kept.answers for name in names) and (not self.composite or bool(kept.composite))

    async def aclose(self) -> None:
        """Releases what the target and the evaluators hold."""
        composite = [self.composite] if self.composite else []
        await asyncio.gather(
            self.target.aclose(), *(judge.evaluator.aclose() for judge in [*self.judges, *composite])
        )

    async def _run_task(self, item: Item, trial: int, trace: str, slots: Slots, calls: Calls) -> TaskOutcome:
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
            calls.note_task(attempt.answer.usage if attempt.answer else None)
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
        stopwatch = Stopwatch(call.timeout, self.clock, attempt=call.attempt)
        try:
            with stopwatch:
                answer = await self.target.call(call)
        except TaskError as error:
            failure = error
        except TimeoutError as error:
            failure = TaskError(
                _timeout(call, retryable=self.retry_timeouts)
                if stopwatch.expired
                else fault(error, "the task call")
            )
        except Exception as error:  # noqa: BLE001  a bug in a target is this trial's error, never the run's end
            failure = TaskError(fault(error, "the task call"))
        return _Attempt(
            start_time=stopwatch.start_time, duration=stopwatch.elapsed, answer=answer, failure=failure
        )

    async def _judge(self, item: Item, trial: int, trace: str, asking: _Asking) -> list[Answer]:
        """Asks the evaluators whose answers are not kept."""
        kept, outcome = asking.kept, asking.kept.outcome
        if outcome.output is None or not self.judges:
            return []
        case = Case(
            experiment=self.experiment,
            item=item,
            trial=trial,
            output=outcome.output,
            contexts=outcome.contexts,
            usage=outcome.usage,
            duration=outcome.task_duration,
            trace_id=trace,
        )
        first, *others = self.judges
        tasks = [asyncio.create_task(self._ask(judge, case, asking)) for judge in others]
        try:
            answers = await self._ask(first, case, asking)
            for task in tasks:
                answers += await task
        finally:
            for task in tasks:
                task.cancel()
        if self.composite:
            if kept.composite and all(call.name in kept.answers for _, call in answers):
                return [*answers, kept.composite]
            seen = tuple(evaluation for evaluations, _ in answers for evaluation in evaluations)
            anew = replace(asking, kept=Kept(outcome=outcome))
            answers += await self._ask(self.composite, case.with_evaluations(seen), anew)
        return answers

    async def _ask(self, judge: Judge, case: Case, asking: _Asking) -> list[Answer]:
        """Returns the answer of each of a judge's members, the kept ones where there are such."""
        known = [asking.kept.answers.get(member.name) for member in judge.members]
        if all(known):
            return [answer for answer in known if answer]
        asked = self.clock.monotonic()
        found = await judge.judge(case)
        duration = self.clock.monotonic() - asked
        start = asked - asking.task_end
        asking.calls.note_evaluations(evaluation for evaluations in found for evaluation in evaluations)
        return [
            answer or (evaluations, EvaluatorCall(member.name, start, duration, len(evaluations)))
            for member, evaluations, answer in zip(judge.members, found, known, strict=True)
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


def _timeout(call: TaskCall, *, retryable: bool) -> Error:
    return Error(
        reason=Reason.TASK_TIMEOUT,
        message=f"The task gave no complete answer within {call.timeout:g} s; raise task_timeout if it needs longer.",
        metadata={"timeout_seconds": f"{call.timeout:g}", "attempts": str(call.attempt)},
        retryable=retryable,
    )


def _too_large(name: str, size: int) -> Error:
    return Error(
        reason=Reason.PAYLOAD_TOO_LARGE,
        message=f"The item's {name} is {size} bytes of JSON; the limit is {MAX_DOCUMENT_BYTES} bytes.",
        metadata={"limit_bytes": str(MAX_DOCUMENT_BYTES), "size_bytes": str(size)},
    )
