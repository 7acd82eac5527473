"""Evaluations: what evaluators say of an item or of a run."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.usage import NOTHING_SPENT, Spending, Usage

Value = float | bool | str
"""A number, a boolean, or a label."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """One judgement. Exactly one of `value`, `unscored` and `error` is set: an error is never a 0.

    Attributes:
        name: what is judged, as shown in Langfuse.
        evaluator: who judged, `name@version`.
        value: a number (always float), a boolean, or a label.
        unscored: why there is no value although nothing failed.
        error: why the evaluator failed.
        comment: an explanation for people.
        metadata: a JSON document about the judgement.
        config_id: the Langfuse score config that the value follows.
        usage: what the evaluator's own models took, apart from the task's; None for none or unknown.
    """

    name: str
    evaluator: str = ""
    value: Value | None = None
    unscored: str | None = None
    error: Error | None = None
    comment: str = ""
    metadata: Document | None = None
    config_id: str = ""
    usage: Usage | None = None


def spent_on(evaluations: Iterable[Evaluation]) -> Spending:
    """Returns what the evaluators' own models took; evaluations without a usage took none."""
    spent = NOTHING_SPENT
    for evaluation in evaluations:
        if evaluation.usage is not None:
            spent = spent.add(evaluation.usage)
    return spent
