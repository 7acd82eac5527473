"""What judging took: tokens and money, apart from the task's."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from evalrpc_server.domain.spec.judges import JudgeModel
from evalrpc_server.domain.usage import Usage


class Account(Struct):
    """Sums up the calls of one evaluation, those included whose answer was no verdict. What is unknown once stays so."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _input: int | None = 0
    _output: int | None = 0
    _cost: float | None = 0.0

    def add(self, model: JudgeModel, usage: Usage | None) -> None:
        """Takes in what one call took, as the API says; the cost by the spec's prices, else by what the API says."""
        usage = usage or Usage()
        self.calls[model.model, usage.model] += 1
        self._input = _sum(self._input, usage.input_tokens)
        self._output = _sum(self._output, usage.output_tokens)
        cost = _sum(self._cost, _cost(model, usage))
        self._cost = None if cost is None else float(cost)

    def usage(self) -> Usage | None:
        """Returns the sums; None where no call was answered. The model is named if all answers came from one."""
        if not self.calls:
            return None
        versions = {version or model for model, version in self.calls}
        return Usage(
            input_tokens=self._input,
            output_tokens=self._output,
            cost_usd=self._cost,
            model=versions.pop() if len(versions) == 1 else "",
        )


def _cost(model: JudgeModel, usage: Usage) -> float | None:
    if model.input_price_usd is None or model.output_price_usd is None:
        return usage.cost_usd
    if usage.input_tokens is None or usage.output_tokens is None:
        return usage.cost_usd
    return (usage.input_tokens * model.input_price_usd + usage.output_tokens * model.output_price_usd) / 1e6


def _sum(a: float | None, b: float | None) -> int | None:
    return None if a is None or b is None else a + b  # type: ignore[return-value]  # as whole as both are
