"""What a run may spend, as a caller says it."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Seconds, SpecModel


class BudgetCaps(SpecModel):
    """Caps on what a run and its judges take together, as far as that is known.

    Attributes:
        cost_usd: US dollars.
        tokens: read and written.
        time: seconds since the run began.
    """

    cost_usd: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, ge=1)
    time: Seconds | None = None

    @model_validator(mode="after")
    def _some_cap(self) -> BudgetCaps:
        if self.cost_usd is None and self.tokens is None and self.time is None:
            raise PydanticCustomError("budget", "must set at least one of cost_usd, tokens, time")
        return self


class Budget(SpecModel):
    """What a run may spend.

    Attributes:
        soft: once one of these is reached, no further trial begins.
        hard: once one of these is reached, trials in flight are cut off, too.
    """

    soft: BudgetCaps | None = None
    hard: BudgetCaps | None = None
