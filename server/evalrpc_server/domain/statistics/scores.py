"""The scores of a run as statistics take them: by item, its trials together."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import isnan, nan
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct, field

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.statistics.trials import Reducers


class Score(NamedTuple):
    """What one evaluation of a trial said: a value, or that it has none because it is unscored or failed."""

    name: str
    value: Value | None
    failed: bool = False


class TrialScores(NamedTuple):
    """What is said of one trial; a tuple, because there are hundreds of thousands.

    Attributes:
        item_index: the item's place in the data.
        item_id: by which items of different runs are matched.
        trial: from 1.
        failed: whether the task failed.
        scores: what the evaluators said.
        cluster: what the item belongs to; None where items stand alone.
    """

    item_index: int
    item_id: str
    trial: int
    failed: bool
    scores: Sequence[Score]
    cluster: str | None = None


class Column(Struct):
    """The values of one evaluation, one per item; NaN where an item has none.

    Attributes:
        values: numbers, booleans as 0 and 1; shorter than the list of items where the last ones have none.
        rate: whether what the values were reduced from are booleans alone.
    """

    values: array[float] = field(default_factory=lambda: array("d"))
    rate: bool = True

    def put(self, place: int, value: float, *, rate: bool) -> None:
        """Sets the value of the item at a place, a number or a boolean; places ascend."""
        if (gap := place - len(self.values)) > 0:
            self.values.extend([nan] * gap)
        self.values.append(value)
        self.rate = self.rate and rate

    def get(self, place: int) -> float | None:
        """Returns the value of the item at a place; None where it has none."""
        if place >= len(self.values) or isnan(value := self.values[place]):
            return None
        return value

    def padded(self, length: int) -> array[float]:
        """Returns the values of so many items, NaN where there is none."""
        return self.values + array("d", [nan] * (length - len(self.values)))

    def known(self) -> array[float]:
        """Returns the values that there are, in the order of the items."""
        return array("d", (value for value in self.values if not isnan(value)))


class Reduced(Struct):
    """A run's scores, trials reduced: 8 bytes for an item and evaluation, besides the items' ids.

    Attributes:
        reducers: how trials become one value.
        identified: whether the items' ids are kept, which only a comparison needs.
        indexes: the items' places in the data, ascending.
        ids: the items' ids, in the same order.
        clusters: what the items belong to, likewise; empty where they stand alone.
        columns: the values by evaluation.
    """

    reducers: Reducers
    identified: bool = True
    indexes: array[int] = field(default_factory=lambda: array("q"))
    ids: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    _failures: list[tuple[int, int, int]] = field(default_factory=list)
    _plain: dict[str, bool] = field(default_factory=dict)

    def add(self, trials: Sequence[TrialScores]) -> None:
        """Adds one item, of which these are all trials."""
        first, place = trials[0], len(self.indexes)
        self.indexes.append(first.item_index)
        if self.identified:
            self.ids.append(first.item_id)
        if first.cluster is not None:
            self.clusters.append(first.cluster)
        if len(trials) == 1 and not first.failed and self._add_plain(place, first.scores):
            return
        values: dict[str, list[Value]] = {}
        for trial in trials:
            for score in trial.scores:
                given = values.setdefault(score.name, [])
                if score.value is not None:
                    given.append(score.value)
        failed = sum(trial.failed for trial in trials)
        for name, given in values.items():
            self._put(place, name, given, failed, len(trials))
        if failed:
            for name in self.columns.keys() - values.keys():
                self._put(place, name, [], failed, len(trials))
            self._failures.append((place, failed, len(trials)))

    def _add_plain(self, place: int, scores: Sequence[Score]) -> bool:
        """Adds the scores of an item's only trial as they are; returns whether that is all there is to do."""
        values = {score.name: score.value for score in scores}
        if len(values) < len(scores) or not all(map(self._is_plain, values)):
            return False
        for name, value in values.items():
            if value is not None and not isinstance(value, str):
                column = self.columns.get(name)
                if column is None:
                    column = self.columns[name] = Column()
                column.put(place, value, rate=isinstance(value, bool))
        return True

    def _is_plain(self, name: str) -> bool:
        plain = self._plain.get(name)
        if plain is None:
            plain = self._plain[name] = not self.reducers.of(name).reduction.counts_passes
        return plain

    def _put(self, place: int, name: str, given: Sequence[Value], failed: int, trials: int) -> None:
        missing = max(0, trials - failed - len(given))
        reducer = self.reducers.of(name)
        value = reducer.reduce(given, failed=failed, missing=missing)
        if value is None or isinstance(value, str):
            return
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column()
            for earlier, failures, tried in self._failures:
                guess = reducer.reduce([], failed=failures, missing=tried - failures)
                if guess is not None and not isinstance(guess, str):
                    column.put(earlier, guess, rate=True)
        column.put(place, value, rate=all(isinstance(each, bool) for each in given))


def by_item(trials: Iterable[TrialScores]) -> Iterable[Sequence[TrialScores]]:
    """Yields the trials of each item together; they arrive in the order of the items."""
    for _, group in groupby(trials, key=attrgetter("item_index")):
        yield list(group)


def matched(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the places of each id that both sides have, in the order of `other`."""
    places = {item_id: place for place, item_id in enumerate(one)}
    return [(places[item_id], place) for place, item_id in enumerate(other) if item_id in places]
