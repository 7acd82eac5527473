"""Summaries: the evaluations of one name over a whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from msgspec import Struct, field
from msgspec.structs import replace

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.intervals import (
    DEFAULT_CONFIDENCE,
    Interval,
    effective_number,
    mean_interval,
    rate_interval,
)
from evalrpc_server.domain.statistics.moments import clustered, moments
from evalrpc_server.domain.statistics.quantiles import PROBABILITIES, Quantile, quantile
from evalrpc_server.domain.statistics.scores import Column, Reduced, TrialScores, by_item
from evalrpc_server.domain.statistics.trials import Reducers

MAX_LABELS = 100
"""How many different labels are counted; the others only count in `n`."""


class EvaluationSummary(Struct, frozen=True, kw_only=True):
    """The evaluations of one name. All but the counts are over items, and None where they cannot be computed.

    Attributes:
        n: evaluations with a value, of all trials.
        unscored: evaluations without a value.
        errors: evaluations that failed.
        mean: of the numbers, booleans as 0 and 1.
        standard_error: of the mean.
        standard_deviation: of the values, of a sample.
        interval: of the mean.
        min: the smallest value; `max` the greatest.
        quantiles: at `PROBABILITIES`.
        labels: how often each label was given, at most `MAX_LABELS` of them.
        clusters: what the standard error counts; 0 where it counts independent values.
    """

    n: int = 0
    unscored: int = 0
    errors: int = 0
    mean: float | None = None
    standard_error: float | None = None
    standard_deviation: float | None = None
    interval: Interval | None = None
    min: float | None = None
    max: float | None = None
    quantiles: tuple[Quantile, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    clusters: int = 0


class _Tally(Struct):
    n: int = 0
    unscored: int = 0
    errors: int = 0
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, value: Value | None, *, failed: bool) -> None:
        if failed:
            self.errors += 1
        elif value is None:
            self.unscored += 1
        else:
            self.n += 1
            if isinstance(value, str) and (value in self.labels or len(self.labels) < MAX_LABELS):
                self.labels[value] = self.labels.get(value, 0) + 1


class Summarizer:
    """Sums up a run while its trials arrive, in the order of the items; memory as of `Reduced`."""

    def __init__(self, reducers: Reducers, *, repeated: bool = False) -> None:
        self._reduced = Reduced(reducers, identified=False)
        self._tallies: dict[str, _Tally] = {}
        self._repeated = repeated

    def add(self, trials: Iterable[TrialScores]) -> None:
        """Adds items whole: no item's trials are spread over two calls."""
        for item in by_item(trials):
            self._reduced.add(item)
            for trial in item:
                for score in trial.scores:
                    tally = self._tallies.get(score.name)
                    if tally is None:
                        tally = self._tallies[score.name] = _Tally()
                    tally.add(score.value, failed=score.failed)

    def summaries(self, confidence: float = DEFAULT_CONFIDENCE) -> dict[str, EvaluationSummary]:
        """Returns the summary of each evaluation by its name."""
        return {name: self._summary(name, tally, confidence) for name, tally in self._tallies.items()}

    def _summary(self, name: str, tally: _Tally, confidence: float) -> EvaluationSummary:
        counts = EvaluationSummary(
            n=tally.n, unscored=tally.unscored, errors=tally.errors, labels=dict(tally.labels)
        )
        column = self._reduced.columns.get(name)
        if column is None:
            return counts
        return describe(column, self._reduced.clusters, counts, confidence, repeated=self._repeated)


def describe(
    column: Column,
    clusters: list[str],
    counts: EvaluationSummary,
    confidence: float = DEFAULT_CONFIDENCE,
    *,
    repeated: bool = False,
) -> EvaluationSummary:
    """Returns the statistics of a column of values, at least one.

    Args:
        column: the values, trials reduced.
        clusters: what the items belong to; empty where they stand alone.
        counts: a summary that has the counts.
        confidence: of the interval.
        repeated: whether items have several trials, so that the items are clusters of trials.
    """
    values = column.known()
    found = moments(values)
    ordered = sorted(values)
    error, count = found.standard_error, found.n if repeated else 0
    if clusters:
        keys = (clusters[place] for place in range(len(column.values)) if column.get(place) is not None)
        grouped = clustered(values, keys)
        error, count = grouped.standard_error, grouped.clusters
    groups = count or found.n
    if not (isfinite(found.mean) and isfinite(found.variance) and isfinite(error)):
        return replace(counts, min=ordered[0], max=ordered[-1])  # too large to be computed with
    return EvaluationSummary(
        n=counts.n,
        unscored=counts.unscored,
        errors=counts.errors,
        labels=counts.labels,
        mean=found.mean,
        standard_error=error if groups > 1 else None,
        standard_deviation=found.standard_deviation if found.n > 1 else None,
        interval=_interval(column, found.mean, error, groups, confidence, exact=not count),
        min=ordered[0],
        max=ordered[-1],
        quantiles=tuple(Quantile(each, quantile(ordered, each)) for each in PROBABILITIES),
        clusters=count,
    )


def is_boolean(values: Iterable[float]) -> bool:
    """Returns whether a rate's values are 0 and 1 alone, as of booleans with one trial."""
    return all(value in {0.0, 1.0} for value in values)


def _interval(
    column: Column, mean: float, error: float, groups: int, confidence: float, *, exact: bool
) -> Interval | None:
    if groups < 2:
        return None
    if not column.rate:
        return mean_interval(mean, error, df=groups - 1, confidence=confidence)
    if exact and is_boolean(column.known()):
        return rate_interval(mean, groups, confidence=confidence)
    n = effective_number(mean, error, groups)
    return rate_interval(mean, n, confidence=confidence, df=groups - 1)
