"""Builtins that judge a run by all its results."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from pydantic import Field

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.builtin.params import Finite, Params
from evalrpc_server.evaluators.builtin.registry import Gives, run_builtin
from evalrpc_server.evaluators.builtin.samples import Column, ColumnParams, number
from evalrpc_server.evaluators.builtin.verdicts import Scored, Unscored, Verdict


class MeanParams(ColumnParams):
    """Parameters of `mean`."""


@run_builtin("mean", MeanParams, gives=Gives.NUMBER)
class Mean:
    """The mean over all values of an evaluation or measure; booleans count as 1 and 0.

    Failed items, unscored evaluations and evaluator errors are no zeros: they are left out, and counted in the comment
    and the metadata.
    """

    def __init__(self, params: MeanParams) -> None:
        self._column = Column(params)
        self._sum = 0.0

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        values = [number(value, "mean") for _, value in self._column.read(results)]
        self._sum = math.fsum([self._sum, *values])

    def verdict(self) -> Verdict:
        """Returns the mean."""
        self._column.require()
        return self._column.scored(self._sum / self._column.n)


class PassRateParams(ColumnParams):
    """Parameters of `pass_rate`."""

    threshold: Finite = Field(
        default=1.0,
        description="The least number that passes; true is 1. Use it for evaluations with numbers.",
    )
    label: str | None = Field(default=None, description="The label that passes, for evaluations with labels.")


@run_builtin("pass_rate", PassRateParams, gives=Gives.SCORE)
class PassRate:
    """The share of values that pass, from 0 to 1: true, a number of at least `threshold`, or the `label`.

    Failed items, unscored evaluations and evaluator errors are left out, and counted in the comment and the metadata.
    """

    def __init__(self, params: PassRateParams) -> None:
        self._params = params
        self._column = Column(params)
        self._passed = 0

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        for _, value in self._column.read(results):
            if isinstance(value, str):
                if self._params.label is None:
                    raise Unscored("the values are labels: set label to the one that passes")
                self._passed += value == self._params.label
            else:
                self._passed += value >= self._params.threshold

    def verdict(self) -> Verdict:
        """Returns the share of values that pass."""
        self._column.require()
        scored = self._column.scored(self._passed / self._column.n)
        return Scored(
            scored.value,
            f"{self._passed} passed, {scored.comment}",
            {"passed": self._passed, **scored.metadata},
        )


class PercentileParams(ColumnParams):
    """Parameters of `percentile`."""

    p: Finite = Field(ge=0, le=100, description="Which percentile, from 0 to 100; 50 is the median.")


@run_builtin("percentile", PercentileParams, gives=Gives.NUMBER)
class Percentile:
    """A percentile of the values of an evaluation or measure, such as p95 of the latency.

    Between two values it is interpolated linearly (type 7 of Hyndman and Fan 1996, the default of NumPy and R).
    """

    def __init__(self, params: PercentileParams) -> None:
        self._p = params.p
        self._column = Column(params)
        self._values = array("d")

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results; eight bytes are kept of each value."""
        self._values.extend(number(value, "percentile") for _, value in self._column.read(results))

    def verdict(self) -> Verdict:
        """Returns the percentile."""
        self._column.require()
        return self._column.scored(quantile(sorted(self._values), self._p / 100))


class StandardErrorParams(ColumnParams):
    """Parameters of `standard_error`."""


@run_builtin("standard_error", StandardErrorParams, gives=Gives.NUMBER)
class StandardError:
    """The standard error of the mean of an evaluation or measure: how far chance may have moved it.

    Trials of one item are not independent, so they are taken as one cluster: with C items, n values s and their mean m it
    is sqrt(C / (C - 1) * sum over items of (sum of (s - m))^2) / n (Miller 2024, arXiv 2411.00640). With one trial per
    item this is the sample standard deviation over sqrt(n). It takes values of at least two items.
    """

    def __init__(self, params: StandardErrorParams) -> None:
        self._column = Column(params)
        self._item = -1
        self._sums = array("d")
        self._counts = array("q")

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results; sixteen bytes are kept of each item."""
        for index, value in self._column.read(results):
            if index != self._item:
                self._item = index
                self._sums.append(0.0)
                self._counts.append(0)
            self._sums[-1] += number(value, "standard error")
            self._counts[-1] += 1

    def verdict(self) -> Verdict:
        """Returns the standard error."""
        self._column.require(2)
        clusters, n = len(self._sums), self._column.n
        if clusters < 2:
            raise Unscored("all values are of one item; the standard error takes at least two items")
        mean = math.fsum(self._sums) / n
        squares = math.fsum(
            (total - count * mean) ** 2 for total, count in zip(self._sums, self._counts, strict=True)
        )
        return self._column.scored(math.sqrt(clusters / (clusters - 1) * squares) / n)


class ErrorRateParams(Params):
    """Parameters of `error_rate`."""

    evaluation: str | None = Field(
        default=None,
        min_length=1,
        description="The evaluation whose errors are counted; default: items whose task failed are counted.",
    )


@run_builtin("error_rate", ErrorRateParams, gives=Gives.NUMBER)
class ErrorRate:
    """The share of items whose task failed, from 0 to 1; with `evaluation`, the share of its evaluations that failed."""

    def __init__(self, params: ErrorRateParams) -> None:
        self._of_evaluation = params.evaluation is not None
        self._column = Column(
            ColumnParams(evaluation=params.evaluation)
            if params.evaluation
            else ColumnParams(measure="attempts")
        )

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        for _ in self._column.read(results):
            pass

    def verdict(self) -> Verdict:
        """Returns the share."""
        column = self._column
        if self._of_evaluation:
            errors, total = column.errors, column.n + column.unscored + column.errors
        else:
            errors, total = column.failed_items, column.results
        if not total:
            column.require()
        what = "evaluations" if self._of_evaluation else "items"
        return Scored(
            errors / total, f"{errors} of {total} {what} failed", {"errors": errors, "total": total}
        )


def quantile(ordered: Sequence[float], q: float) -> float:
    """Returns the q-quantile (0 to 1) of ordered values, interpolated linearly (type 7 of Hyndman and Fan 1996)."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
