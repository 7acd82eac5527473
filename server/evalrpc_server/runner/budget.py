"""A run's budget: what was spent so far, and whether more may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.budget import BudgetCaps
from evalrpc_server.domain.usage import Spending


class Ledger:
    """Adds up what a run takes as soon as it is known, earlier than the results that tell of it are stored."""

    def __init__(self, experiment: Experiment, clock: Clock) -> None:
        self._budget = experiment.spec.budget
        self._began = experiment.start_time or clock.now()
        self._clock = clock
        self._spent = experiment.task_spending.plus(experiment.evaluation_spending)

    def add(self, spending: Spending) -> None:
        """Notes what calls took."""
        self._spent = self._spent.plus(spending)

    def exhausted(self) -> Error | None:
        """Returns why no further trial may begin; None while none of the caps is reached."""
        if self._budget is None:
            return None
        return self.overrun() or self._reached(self._budget.soft)

    def overrun(self) -> Error | None:
        """Returns why trials in flight are to be cut off; None while no hard cap is reached."""
        return None if self._budget is None else self._reached(self._budget.hard)

    def seconds_left(self) -> float | None:
        """Returns how long the run may go on before what is in flight is cut off; None for any time."""
        if self._budget is None or self._budget.hard is None or self._budget.hard.time is None:
            return None
        end = self._began + timedelta(seconds=self._budget.hard.time)
        return max(0.0, (end - self._clock.now()).total_seconds())

    def _reached(self, caps: BudgetCaps | None) -> Error | None:
        if caps is None:
            return None
        for name, limit, spent in self._measures(caps):
            if limit is not None and spent >= limit:
                return Error(
                    reason=Reason.BUDGET_EXCEEDED,
                    message=f"The run reached its budget's {name} of {limit:g}: {spent:g}. Raise it to run the rest.",
                    metadata={"budget": name, "limit": f"{limit:g}", "spent": f"{spent:g}"},
                )
        return None

    def _measures(self, caps: BudgetCaps) -> Iterator[tuple[str, float | None, float]]:
        yield "cost_usd", caps.cost_usd, self._spent.cost_usd
        yield "tokens", caps.tokens, self._spent.tokens
        yield "time", caps.time, (self._clock.now() - self._began).total_seconds()
