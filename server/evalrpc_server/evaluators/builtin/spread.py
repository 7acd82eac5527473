"""Run-level builtins about the smallest, the largest, the total and the spread of values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalrpc_server.domain.results import ItemResult
from evalrpc_server.evaluators.builtin.registry import Gives, run_builtin
from evalrpc_server.evaluators.builtin.samples import Column, ColumnParams, number
from evalrpc_server.evaluators.builtin.verdicts import Verdict


@run_builtin("sum", ColumnParams, gives=Gives.NUMBER)
class Sum:
    """The sum of all values of an evaluation or measure, such as the cost of a run; booleans count as 1 and 0."""

    def __init__(self, params: ColumnParams) -> None:
        self._column = Column(params)
        self._sum = 0.0

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        self._sum = math.fsum([self._sum, *(number(value, "sum") for _, value in self._column.read(results))])

    def verdict(self) -> Verdict:
        """Returns the sum."""
        self._column.require()
        return self._column.scored(self._sum)


@run_builtin("minimum", ColumnParams, gives=Gives.NUMBER)
class Minimum:
    """The smallest value of an evaluation or measure; booleans count as 1 and 0."""

    def __init__(self, params: ColumnParams) -> None:
        self._column = Column(params)
        self._least = math.inf

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        for _, value in self._column.read(results):
            self._least = min(self._least, number(value, "minimum"))

    def verdict(self) -> Verdict:
        """Returns the smallest value."""
        self._column.require()
        return self._column.scored(self._least)


@run_builtin("maximum", ColumnParams, gives=Gives.NUMBER)
class Maximum:
    """The largest value of an evaluation or measure; booleans count as 1 and 0."""

    def __init__(self, params: ColumnParams) -> None:
        self._column = Column(params)
        self._most = -math.inf

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        for _, value in self._column.read(results):
            self._most = max(self._most, number(value, "maximum"))

    def verdict(self) -> Verdict:
        """Returns the largest value."""
        self._column.require()
        return self._column.scored(self._most)


@run_builtin("standard_deviation", ColumnParams, gives=Gives.NUMBER)
class StandardDeviation:
    """The sample standard deviation of an evaluation or measure, from one pass (Welford 1962). It takes two values."""

    def __init__(self, params: ColumnParams) -> None:
        self._column = Column(params)
        self._count = 0
        self._mean = 0.0
        self._m2 = 0.0

    def add(self, results: Sequence[ItemResult]) -> None:
        """Takes in the next results."""
        for _, given in self._column.read(results):
            value = number(given, "standard deviation")
            self._count += 1
            delta = value - self._mean
            self._mean += delta / self._count
            self._m2 += delta * (value - self._mean)

    def verdict(self) -> Verdict:
        """Returns the standard deviation."""
        self._column.require(2)
        return self._column.scored(math.sqrt(self._m2 / (self._count - 1)))
