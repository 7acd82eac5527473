"""Reading one column out of the results of a run, and counting what has no value in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.evaluations import Evaluation, Value
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.builtin.params import Params
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored

Measure = Literal["latency", "cost", "input_tokens", "output_tokens", "attempts"]

MAX_NAMES = 20
"""How many names of evaluations a message lists."""


class ColumnParams(Params):
    """Which values a run-level builtin is about: an evaluation's, or a measure of the task calls."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["evaluation"]}, {"required": ["measure"]}]}
    )

    evaluation: str | None = Field(
        default=None, min_length=1, description="The name of the evaluation whose values are taken."
    )
    measure: Measure | None = Field(
        default=None,
        description=(
            "Instead of an evaluation, a measure of the items whose task succeeded: latency (seconds), cost (US dollars), "
            "input_tokens, output_tokens, attempts."
        ),
    )

    @model_validator(mode="after")
    def _one_source(self) -> ColumnParams:
        if (self.evaluation is None) is (self.measure is None):
            raise PydanticCustomError(
                "one_of",
                "must name exactly one of evaluation and measure; {problem}",
                {"problem": self._problem},
            )
        return self

    @property
    def _problem(self) -> str:
        return "neither is set" if self.evaluation is None else "both are set"


class Column:
    """The values of one evaluation or measure over the results of a run, with counts of the results without one.

    Attributes:
        n: values.
        unscored: evaluations without a value, and measures that are not known.
        errors: evaluations that failed.
        failed_items: results whose task failed; they have no evaluations.
        missing: other results that have no evaluation of that name.
        results: all results.
    """

    def __init__(self, params: ColumnParams) -> None:
        self._name = params.evaluation
        self._measure = params.measure
        self.n = self.unscored = self.errors = self.failed_items = self.missing = self.results = 0
        self._seen: dict[str, None] = {}

    def read(self, results: Sequence[ItemResult]) -> Iterator[tuple[int, Value]]:
        """Yields the index of the item and the value, for each value in some results, and counts."""
        for result in results:
            self.results += 1
            if result.failed:
                self.failed_items += 1
            elif self._measure is not None:
                value = measured(result, self._measure)
                if value is None:
                    self.unscored += 1
                else:
                    self.n += 1
                    yield result.item.index, value
            else:
                yield from self._evaluations(result)

    def _evaluations(self, result: ItemResult) -> Iterator[tuple[int, Value]]:
        found = False
        for evaluation in result.evaluations:
            if evaluation.name != self._name:
                if len(self._seen) < MAX_NAMES:
                    self._seen[evaluation.name] = None
                continue
            found = True
            if evaluation.error is not None or not _finite(evaluation):
                self.errors += 1
            elif evaluation.value is None:
                self.unscored += 1
            else:
                self.n += 1
                yield result.item.index, evaluation.value
        self.missing += not found

    def scored(self, value: Value) -> Scored:
        """Returns a value together with the counts behind it."""
        return Scored(value, self.comment(), self.counts())

    def counts(self) -> dict[str, int]:
        """Returns the counts, for programs."""
        return {
            "n": self.n,
            "unscored": self.unscored,
            "errors": self.errors,
            "failed_items": self.failed_items,
            "missing": self.missing,
        }

    def comment(self) -> str:
        """Returns the counts, for people: `over 180 values; 3 items failed, 2 unscored`."""
        parts = [
            f"{_plural(self.failed_items, 'item')} failed" if self.failed_items else "",
            f"{self.unscored} unscored" if self.unscored else "",
            _plural(self.errors, "evaluator error") if self.errors else "",
            f"{self.missing} without this evaluation" if self.missing else "",
        ]
        without = ", ".join(part for part in parts if part)
        return f"over {_plural(self.n, 'value')}" + (f"; {without}" if without else "")

    def require(self, least: int = 1) -> None:
        """Checks that there are enough values.

        Raises:
            Unscored: there are not; the reason says what there is instead.
        """
        if self.n >= least:
            return
        if not self.results:
            raise Unscored("the run has no results")
        if self._name is not None and self.missing == self.results - self.failed_items and self.missing:
            seen = ", ".join(self._seen) or "none"
            raise Unscored(f"no result has an evaluation named {self._name}; there are: {seen}")
        what = "no value" if not self.n else f"only {_plural(self.n, 'value')}, at least {least} are needed"
        raise Unscored(f"{what} ({self.comment()})")


def measured(result: ItemResult, measure: Measure) -> float | None:
    """Returns a measure of a result whose task succeeded; None where it is not known."""
    if measure == "latency":
        return result.outcome.task_duration
    if measure == "attempts":
        return float(result.outcome.attempts)
    usage = result.outcome.usage
    if usage is None:
        return None
    value = usage.cost_usd if measure == "cost" else getattr(usage, measure)
    return None if value is None else float(value)


def number(value: Value, what: str) -> float:
    """Returns a value as a number, true as 1 and false as 0.

    Raises:
        Unscored: it is a label.
    """
    if isinstance(value, str):
        raise Unscored(f"the values are labels, which have no {what}")
    return float(value)


def _finite(evaluation: Evaluation) -> bool:
    return not isinstance(evaluation.value, float) or math.isfinite(evaluation.value)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
