"""What calls to language models took: one call's usage, and sums over many."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """What a call consumed; None is unknown, not zero. `cost_usd` is in US dollars; `model` may be empty."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    model: str = ""


class Spending(Struct, frozen=True, kw_only=True):
    """What many calls took together, as far as it is known.

    Attributes:
        input_tokens: read.
        output_tokens: written.
        cost_usd: US dollars.
        unknown: calls that did not say what they took, and are therefore not in the sums.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unknown: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Spending) -> Spending:
        """Returns the sums of both."""
        if other is NOTHING_SPENT:
            return self
        return Spending(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            unknown=self.unknown + other.unknown,
        )

    def add(self, usage: Usage | None) -> Spending:
        """Returns the sums with one more call in them."""
        if usage is None:
            return self.plus(Spending(unknown=1))
        return self.plus(
            Spending(
                input_tokens=usage.input_tokens or 0,
                output_tokens=usage.output_tokens or 0,
                cost_usd=usage.cost_usd or 0.0,
            )
        )


NOTHING_SPENT = Spending()
