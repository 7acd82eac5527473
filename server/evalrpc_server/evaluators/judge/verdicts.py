"""What a model says of an output, and what stands in its way."""

from __future__ import annotations

from msgspec import Struct

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Value


class Verdict(Struct, frozen=True):
    """What one answer says.

    Attributes:
        value: None where the model found nothing to judge; `unscored` says why then.
        reasoning: the model's explanation.
    """

    value: Value | None
    reasoning: str = ""
    unscored: str = ""


class Sample(Struct, frozen=True):
    """What came of asking a model once: a verdict or an error.

    Attributes:
        model: the model's name as the spec has it.
    """

    model: str
    verdict: Verdict | None = None
    error: Error | None = None

    @property
    def value(self) -> Value | None:
        """The value of the verdict; None where there is none."""
        return self.verdict.value if self.verdict else None


class InvalidVerdictError(Exception):
    """An answer is no verdict. The message says what is wrong with it, to follow "the answer" in a sentence."""
