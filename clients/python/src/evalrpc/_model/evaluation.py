"""Verdicts, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalrpc._documents import decode

Value = float | bool | str
"""What an evaluator may say: a number, true or false, or a label."""


@dataclass(frozen=True, slots=True)
class Error:
    """What went wrong with an item, an evaluation, an experiment or a delivery; data, not an exception.

    Attributes:
        reason: a stable name, such as "TASK_TIMEOUT"; `ErrorReason` in the contract lists them.
        message: one sentence for a person.
        metadata: the facts in the message, by name.
        retryable: whether the same call may succeed later without a change.
    """

    reason: str
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retryable: bool = False

    def __str__(self) -> str:
        """The reason and the sentence, as in "TASK_TIMEOUT: no answer within 120 s"."""
        return f"{self.reason}: {self.message}" if self.message else self.reason


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls to language models took; None where unknown, which is not 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """One verdict on an item's result or on a whole run.

    Exactly one of `value`, `unscored` and `error` is not None.

    Attributes:
        name: what was judged, such as "accuracy".
        value: the verdict. A failed evaluator never gives a 0.
        unscored: why the evaluator had nothing to say although nothing failed.
        error: why the evaluator failed.
        evaluator: which evaluator judged, as `name@version`, or its name alone.
        comment: the evaluator's explanation.
        metadata_json: further facts, a JSON object as text.
        config_id: the Langfuse score config that the value obeys.
        duration: seconds that the evaluator took.
        usage: what the evaluator's own models took.
    """

    name: str
    value: Value | None = None
    unscored: str | None = None
    error: Error | None = None
    evaluator: str = ""
    comment: str | None = None
    metadata_json: str | None = None
    config_id: str | None = None
    duration: float | None = None
    usage: Usage | None = None

    @cached_property
    def metadata(self) -> Any:
        """Further facts, parsed on first use; None if there are none."""
        return decode(self.metadata_json)
