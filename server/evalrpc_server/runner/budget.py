"""A run's budget: tells when a cap is reached, and why trials do not run any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.budget import BudgetCaps


def exhausted(experiment: Experiment, now: datetime) -> Error | None:
    """Returns why no further trial may begin; None while none of the caps is reached."""
    budget = experiment.spec.budget
    if budget is None:
        return None
    return overrun(experiment, now) or _reached(budget.soft, experiment, now)


def overrun(experiment: Experiment, now: datetime) -> Error | None:
    """Returns why trials in flight are to be cut off; None while no hard cap is reached."""
    budget = experiment.spec.budget
    return _reached(budget.hard, experiment, now) if budget else None


def _reached(caps: BudgetCaps | None, experiment: Experiment, now: datetime) -> Error | None:
    if caps is None:
        return None
    for name, limit, spent in _measures(caps, experiment, now):
        if limit is not None and spent >= limit:
            return Error(
                reason=Reason.BUDGET_EXCEEDED,
                message=f"The run reached its budget's {name} of {limit:g}: {spent:g}. Raise it to run the rest.",
                metadata={"budget": name, "limit": f"{limit:g}", "spent": f"{spent:g}"},
            )
    return None


def _measures(
    caps: BudgetCaps, experiment: Experiment, now: datetime
) -> Iterator[tuple[str, float | None, float]]:
    tasks, evaluations = experiment.task_spending, experiment.evaluation_spending
    began = experiment.start_time
    yield "cost_usd", caps.cost_usd, tasks.cost_usd + evaluations.cost_usd
    yield "tokens", caps.tokens, tasks.tokens + evaluations.tokens
    yield "time", caps.time, (now - began).total_seconds() if began else 0.0
