"""How the trials of an item become one value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from statistics import median, multimode

from msgspec import Struct

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.moments import total


class Reduction(StrEnum):
    """The ways to make one value of several trials."""

    MEAN = "MEAN"
    MEDIAN = "MEDIAN"
    MAJORITY = "MAJORITY"
    MAX = "MAX"
    AT_LEAST_K = "AT_LEAST_K"
    PASS_AT_K = "PASS_AT_K"  # noqa: S105  a name, not a password
    PASS_HAT_K = "PASS_HAT_K"  # noqa: S105  a name, not a password

    @property
    def counts_passes(self) -> bool:
        """Whether it asks which trials pass; it then has a `k`, and a failed trial does not pass."""
        return self in {Reduction.AT_LEAST_K, Reduction.PASS_AT_K, Reduction.PASS_HAT_K}


class Reducer(Struct, frozen=True):
    """A reduction with its parameters: `k` trials, of which a number from `pass_threshold` on passes."""

    reduction: Reduction = Reduction.MEAN
    k: int = 0
    pass_threshold: float = 1.0

    def reduce(self, values: Sequence[Value], *, failed: int = 0, missing: int = 0) -> Value | None:
        """Returns the one value of an item, or None where there is none.

        Args:
            values: of the trials that have one.
            failed: trials whose task failed.
            missing: trials without a value although the task did not fail.
        """
        if self.reduction.counts_passes:
            passes = sum(self._passes(value) for value in values)
            return _COUNTING[self.reduction](passes, len(values) + failed, missing, self.k)
        if not values:
            return None
        if len(values) == 1:
            return values[0]
        if self.reduction is Reduction.MAJORITY:
            modes = multimode(values)
            return modes[0] if len(modes) == 1 else None
        numbers = [value for value in values if not isinstance(value, str)]
        return _of_numbers(self.reduction, numbers) if numbers else None

    def _passes(self, value: Value) -> bool:
        return not isinstance(value, str) and float(value) >= self.pass_threshold


class Reducers(Struct, frozen=True):
    """The reducer of every evaluation: one of its own by name, or the one of all others."""

    own: Mapping[str, Reducer]
    others: Reducer = Reducer()

    def of(self, name: str) -> Reducer:
        """Returns the reducer of an evaluation."""
        return self.own.get(name, self.others)


def _of_numbers(reduction: Reduction, numbers: Sequence[float | bool]) -> float | bool:
    if reduction is Reduction.MEAN:
        return total(numbers) / len(numbers)
    if reduction is Reduction.MEDIAN:
        return float(median(numbers))
    return max(numbers)


def at_least_k(passes: int, _trials: int, missing: int, k: int) -> bool | None:
    """Returns whether at least k trials pass; None where trials without a value might decide it."""
    if passes >= k:
        return True
    return None if passes + missing >= k else False


def pass_at_k(passes: int, trials: int, _missing: int, k: int) -> float | None:
    """Returns the chance that at least one of k trials passes, estimated without bias; None for fewer than k trials.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.
    """
    return 1 - math.comb(trials - passes, k) / math.comb(trials, k) if 0 < k <= trials else None


def pass_hat_k(passes: int, trials: int, _missing: int, k: int) -> float | None:
    """Returns the chance that all of k trials pass, estimated without bias; None for fewer than k trials.

    Source: Yao et al. 2024, "tau-bench" (arXiv 2406.12045), section 4.
    """
    return math.comb(passes, k) / math.comb(trials, k) if 0 < k <= trials else None


_COUNTING: Mapping[Reduction, Callable[[int, int, int, int], Value | None]] = {
    Reduction.AT_LEAST_K: at_least_k,
    Reduction.PASS_AT_K: pass_at_k,
    Reduction.PASS_HAT_K: pass_hat_k,
}
