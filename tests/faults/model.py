"""What contract §4 promises, as a model: which experiments there are, how far each is, and what its log may look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evalrpc_server.domain.events import Event, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult

Trial = tuple[int, int]
"""Item index and number of the trial."""

MAX_RUNNING = 2

_LIFE = re.compile(r"P(Ri*e?)?(S|Gi*C)?")
_LIVING = re.compile(r"P(Ri*e?)?(Gi*)?")
_LETTERS = {
    State.PENDING: "P",
    State.RUNNING: "R",
    State.CANCELLING: "G",
    State.SUCCEEDED: "S",
    State.CANCELLED: "C",
    State.FAILED: "F",
}


@dataclass(frozen=True)
class Content:
    """What a caller asks for."""

    items: int
    repetitions: int
    concurrency: int
    attempts: int
    upload: str = ""

    @property
    def trials(self) -> set[Trial]:
        return {(index, trial) for index in range(self.items) for trial in range(1, self.repetitions + 1)}


@dataclass
class Accepted:
    """An experiment that the server has accepted.

    Attributes:
        results: what each finished trial came to: "ok", "failed" or "cancelled".
        calls: task calls of each trial since the server's start.
        sleeping: trials that wait for their next attempt.
        log: the longest log that anyone has seen.
    """

    id: str
    content: Content
    request_id: str = ""
    state: State = State.PENDING
    results: dict[Trial, str] = field(default_factory=dict)
    calls: Counter[Trial] = field(default_factory=Counter)
    sleeping: set[Trial] = field(default_factory=set)
    log: list[Event] = field(default_factory=list)

    @property
    def unfinished(self) -> set[Trial]:
        return self.content.trials - self.results.keys()

    @property
    def calls_in_flight(self) -> int:
        """How many task calls there must be once everything has settled: every slot that can be taken is."""
        if self.state is not State.RUNNING:
            return 0
        return min(self.content.concurrency, len(self.unfinished - self.sleeping))

    def cancel(self) -> None:
        """Cuts off what was begun; an experiment that has ended stays as it is."""
        if not self.state.final:
            self.results |= dict.fromkeys(self.calls.keys() - self.results.keys(), "cancelled")
            self.sleeping.clear()
            self.state = State.CANCELLED

    def forget_process(self) -> None:
        """The server's process is gone: what it had in its hands begins anew."""
        self.calls.clear()
        self.sleeping.clear()

    def learn(self, event: Event) -> None:
        """Takes in the next event of the log."""
        assert event.sequence == len(self.log) + 1, "the sequence has a gap"
        self.log.append(event)

    def check_log(self) -> None:
        """Holds the longest log that was seen to the contract."""
        shape = "".join(_letter(event) for event in self.log)
        assert (_LIFE if self.state.final else _LIVING).fullmatch(shape), shape
        results = [event.body for event in self.log if isinstance(event.body, ItemResult)]
        assert {(one.item.index, one.trial): kind(one) for one in results} == self.results
        assert len(results) == len(self.results), "a trial has two results"
        assert self.state is not State.SUCCEEDED or self.results.keys() == self.content.trials
        for event, (completed, failed) in zip(self.log, _counts(self.log), strict=True):
            progress = event.progress
            assert (progress.completed, progress.failed) == (completed, failed)
            assert completed + progress.in_flight <= len(self.content.trials)
        assert all(calls <= self.content.attempts for calls in self.calls.values())
        for result in results:
            _check_evaluations(result)
        if self.state is State.SUCCEEDED:
            _check_end(self.log[-1].body, results)


class Model:
    """All experiments, oldest first."""

    def __init__(self) -> None:
        self.experiments: list[Accepted] = []

    def find(self, request_id: str) -> Accepted | None:
        """Returns the experiment that a request id belongs to."""
        return next((one for one in self.experiments if request_id and one.request_id == request_id), None)

    def settle(self) -> None:
        """Goes on as far as a server goes by itself: the oldest run, and end when all of their trials have."""
        while True:
            living = [one for one in self.experiments if not one.state.final]
            for experiment in living[:MAX_RUNNING]:
                experiment.state = State.RUNNING
            ended = [one for one in living[:MAX_RUNNING] if not one.unfinished]
            if not ended:
                return
            for experiment in ended:
                experiment.state = State.SUCCEEDED


def kind(result: ItemResult) -> str:
    """Returns what a trial came to."""
    if result.outcome.error is None:
        return "ok"
    return "cancelled" if result.outcome.error.reason is Reason.CANCELLED else "failed"


def _letter(event: Event) -> str:
    match event.body:
        case Experiment(state=state):
            return _LETTERS[state]
        case ItemResult():
            return "i"
        case RunEvaluations():
            return "e"
        case _:
            raise AssertionError("a checkpoint is not part of the log")


def _counts(log: Iterable[Event]) -> Iterable[tuple[int, int]]:
    completed = failed = 0
    for event in log:
        if isinstance(event.body, ItemResult):
            completed += 1
            failed += event.body.failed
        yield completed, failed


def _check_evaluations(result: ItemResult) -> None:
    """One evaluator fails for odd items, and never spoils what the other says."""
    expected: dict[str, object] = {}
    if not result.failed:
        odd = result.item.index % 2 == 1
        expected = {"good": float(result.item.index), "moody": Reason.EVALUATOR_FAILED if odd else True}
    found = {one.name: one.error.reason if one.error else one.value for one in result.evaluations}
    assert found == expected


def _check_end(last: object, results: Sequence[ItemResult]) -> None:
    """One run evaluator counts the failures that it sees, the other fails."""
    assert isinstance(last, Experiment)
    failures = sum(result.failed for result in results)
    found = {one.name: one.error.reason if one.error else one.value for one in last.run_evaluations}
    assert found == {"failures": float(failures), "broken": Reason.EVALUATOR_FAILED}
    odd = sum(result.item.index % 2 for result in results if not result.failed)
    answered = len(results) - failures
    summaries = {name: (one.n, one.errors) for name, one in last.summaries.items()}
    expected = {"good": (answered, 0), "moody": (answered - odd, odd)}
    assert summaries == (expected if answered else {})
