"""Verdicts, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

from evalrpc._documents import decode, encode

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


@dataclass(frozen=True, init=False)
class Evaluation:
    """One verdict on an item's result or on a whole run; evaluator functions return it, too.

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

    def __init__(
        self,
        name: str = "",
        value: Value | None = None,
        unscored: str | None = None,
        error: Error | None = None,
        evaluator: str = "",
        comment: str | None = None,
        metadata_json: str | None = None,
        config_id: str | None = None,
        duration: float | None = None,
        usage: Usage | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        data_type: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL"] | None = None,
    ) -> None:
        """Makes a verdict.

        Args:
            name: an empty one, as an answer of an evaluator, stands for the evaluator's own.
            value: the verdict.
            unscored: why there is none although nothing failed.
            error: why there is none.
            evaluator: who judged.
            comment: an explanation.
            metadata_json: facts as JSON text.
            config_id: the Langfuse score config that the value obeys.
            duration: in seconds.
            usage: of the evaluator's models.
            metadata: facts as a mapping, instead of `metadata_json`.
            data_type: what the value is, as Langfuse names it; by default its own type decides.

        Raises:
            ValueError: the metadata is nothing that JSON can carry.
        """
        if metadata is not None:
            metadata_json = encode(metadata)
        assign = partial(object.__setattr__, self)
        assign("name", name)
        assign("value", value if data_type is None else _as_type(value, data_type))
        assign("unscored", unscored)
        assign("error", error)
        assign("evaluator", evaluator)
        assign("comment", comment)
        assign("metadata_json", metadata_json)
        assign("config_id", config_id)
        assign("duration", duration)
        assign("usage", usage)

    @cached_property
    def metadata(self) -> Any:
        """Further facts, parsed on first use; None if there are none."""
        return decode(self.metadata_json)


def _as_type(value: Value | None, data_type: str | None) -> Value | None:
    match data_type:
        case "BOOLEAN" if value is not None and not isinstance(value, str):
            return bool(value)
        case "NUMERIC" if value is not None and not isinstance(value, str):
            return float(value)
        case "CATEGORICAL" if value is not None:
            return str(value)
    return value
