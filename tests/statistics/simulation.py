"""What the statistics promise, tried out: `python -m tests.statistics.simulation` prints the tables of the documentation.

Every draw has a seed, so that the tables are the same each time. The coverage of Wilson's interval is not drawn but summed up
over all outcomes.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from evalrpc_server.domain.statistics.comparison import Rules, Verdict, compare
from evalrpc_server.domain.statistics.intervals import Interval, rate_interval
from evalrpc_server.domain.statistics.paired import paired_difference
from evalrpc_server.domain.statistics.scores import Column, Reduced
from evalrpc_server.domain.statistics.summaries import EvaluationSummary, describe
from evalrpc_server.domain.statistics.trials import Reducers

ROUNDS = 2000

COVERAGE = "| Interval | Values | Holds the true value |\n|---|---|---|"
ALARMS = "| Two runs | Rule | REGRESSED | IMPROVED | PASS | INCONCLUSIVE |\n|---|---|---|---|---|---|"

_NO_REDUCERS = Reducers({})


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its words, and shares from 0 to 1."""

    words: tuple[str, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        """The row in Markdown."""
        return f"| {' | '.join((*self.words, *(f'{share:.1%}' for share in self.shares)))} |"


# ------------------------------------------------------------------------------------------- coverage


def wilson(n: int) -> Row:
    """The mean coverage over true rates from 0.50 to 0.99."""
    rates = [percent / 100 for percent in range(50, 100)]
    intervals = [rate_interval(passes / n, n, confidence=0.95) for passes in range(n + 1)]
    covered = 0.0
    for rate in rates:
        for passes, interval in enumerate(intervals):
            if interval.low <= rate <= interval.high:
                covered += _binomial(passes, n, rate)
    return Row(("Wilson", f"{n} booleans, true rates 50 % to 99 %"), (covered / len(rates),))


def _binomial(passes: int, n: int, rate: float) -> float:
    logarithm = (
        math.lgamma(n + 1)
        - math.lgamma(passes + 1)
        - math.lgamma(n - passes + 1)
        + passes * math.log(rate)
        + (n - passes) * math.log1p(-rate)
    )
    return math.exp(logarithm)


def covered(
    name: str, values: str, true: float, draw: Callable[[Random], Interval | None], rounds: int
) -> Row:
    """How often an interval of drawn values holds the true value."""
    random = Random(f"{name} {values}")
    held = 0
    for _ in range(rounds):
        interval = draw(random)
        held += interval is not None and interval.low <= true <= interval.high
    return Row((name, values), (held / rounds,))


def _mean_of(draw: Callable[[Random], float], n: int) -> Callable[[Random], Interval | None]:
    def interval(random: Random) -> Interval | None:
        column = Column(array("d", (draw(random) for _ in range(n))), rate=False)
        return describe(column, [], EvaluationSummary()).interval

    return interval


def _stars(random: Random) -> float:
    return float(random.choices((1, 2, 3, 4, 5), (1, 2, 4, 8, 5))[0])


def _repeated(random: Random) -> Interval | None:
    """The pass rate over 100 items with 3 trials each; the items' own rates scatter around 0.8."""
    rates = [random.betavariate(4, 1) for _ in range(100)]
    means = array("d", (sum(random.random() < rate for _ in range(3)) / 3 for rate in rates))
    return describe(Column(means), [], EvaluationSummary(), repeated=True).interval


def _clustered(random: Random) -> Interval | None:
    """The mean over 40 documents with 5 questions each; what a document adds is shared by its questions."""
    values, clusters = array("d"), []
    for document in range(40):
        shared = random.gauss(0, 0.2)
        for _ in range(5):
            values.append(0.7 + shared + random.gauss(0, 0.2))
            clusters.append(str(document))
    return describe(Column(values, rate=False), clusters, EvaluationSummary()).interval


def _paired_rates(n: int) -> Callable[[Random], Interval | None]:
    def interval(random: Random) -> Interval | None:
        before, after = _booleans(random, n, 0.85, 0.80)
        found = paired_difference(before, after, boolean=True, confidence=0.95)
        return found.interval if found else None

    return interval


def _paired_numbers(random: Random) -> Interval | None:
    before, after = _numbers(random, 50, -0.05)
    found = paired_difference(before, after, boolean=False, confidence=0.95)
    return found.interval if found else None


def coverage(rounds: int = ROUNDS) -> Iterator[Row]:
    """Yields how often intervals of 95 % hold what they should."""
    for n in (20, 50, 100, 300, 1000):
        yield wilson(n)
    yield covered("Student", "20 normal", 0.7, _mean_of(lambda random: random.gauss(0.7, 0.2), 20), rounds)
    yield covered("Student", "50 stars from 1 to 5", 3.7, _mean_of(_stars, 50), rounds)
    skewed = _mean_of(lambda random: random.betavariate(4, 1), 100)
    yield covered("Student", "100 skewed scores from 0 to 1", 0.8, skewed, rounds)
    yield covered("Wilson, effective number", "100 items, 3 trials of booleans each", 0.8, _repeated, rounds)
    yield covered("Student, clustered", "40 documents of 5 questions", 0.7, _clustered, rounds)
    for n in (30, 50, 100, 300):
        paired = f"{n} pairs of booleans, 85 % and 80 %"
        yield covered("Tango", paired, -0.05, _paired_rates(n), rounds)
    yield covered("Student, paired", "50 pairs of numbers", -0.05, _paired_numbers, rounds)


# --------------------------------------------------------------------------------------- false alarms


def _booleans(random: Random, n: int, before: float, after: float) -> tuple[array[float], array[float]]:
    """Pairs of which half follow one draw, so that both runs tend to be right about the same items."""
    befores, afters = array("d"), array("d")
    for _ in range(n):
        one, other = random.random(), random.random()
        if random.random() < 0.5:
            other = one
        befores.append(one < before)
        afters.append(other < after)
    return befores, afters


def _numbers(random: Random, n: int, difference: float) -> tuple[array[float], array[float]]:
    befores, afters = array("d"), array("d")
    for _ in range(n):
        item = random.gauss(0.7, 0.2)
        befores.append(item + random.gauss(0, 0.1))
        afters.append(item + difference + random.gauss(0, 0.1))
    return befores, afters


Pairs: TypeAlias = "Sequence[tuple[array[float], array[float]]]"


def verdicts(runs: str, margin: float, draw: Callable[[Random], Pairs], *, rate: bool, rounds: int) -> Row:
    """How often each verdict falls; with several evaluations REGRESSED and IMPROVED count where any is."""
    random = Random(runs)
    rules, counts = Rules(margin=margin, max_flips=0), Counter[Verdict]()
    for _ in range(rounds):
        found = compare(*_runs(draw(random), rate=rate), rules).evaluations
        given = {each.verdict for each in found}
        counts[next(verdict for verdict in _FIRST if verdict in given)] += 1
    rule = f"margin {margin:g}"
    return Row((runs, rule), tuple(counts[verdict] / rounds for verdict in _SHOWN))


_FIRST = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCONCLUSIVE, Verdict.PASS)
_SHOWN = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.PASS, Verdict.INCONCLUSIVE)


def _runs(pairs: Pairs, *, rate: bool) -> tuple[Reduced, Reduced]:
    sides = Reduced(_NO_REDUCERS), Reduced(_NO_REDUCERS)
    for side, run in enumerate(sides):
        run.ids = [str(place) for place in range(len(pairs[0][0]))]
        run.columns = {f"s{number}": Column(pair[side], rate=rate) for number, pair in enumerate(pairs)}
    return sides


def usual_gate(runs: str, slack: int, n: int, rate: float) -> Row:
    """How often a gate fires that only asks whether fewer items are right than before, by more than a slack; summed up."""
    chances = [_binomial(passes, n, rate) for passes in range(n + 1)]
    fired = 0.0
    for before, chance in enumerate(chances):
        fired += chance * sum(chances[: max(0, before - slack)])
    rule = f"usual gate: mean below the baseline's{f' - {slack / n:g}' if slack else ''}"
    return Row((runs, rule), (fired, 0.0, 1 - fired, 0.0))


def _trials(random: Random) -> Pairs:
    """100 items with 3 trials of booleans in each run; an item has the same rate in both."""
    before, after = array("d"), array("d")
    for _ in range(100):
        rate = random.betavariate(4, 1)
        before.append(sum(random.random() < rate for _ in range(3)) / 3)
        after.append(sum(random.random() < rate for _ in range(3)) / 3)
    return [(before, after)]


def alarms(rounds: int = ROUNDS // 2) -> Iterator[Row]:
    """Yields what verdicts fall between equal runs, and between runs that differ."""
    equal = "100 items, 85 % right in both"
    yield usual_gate(equal, 0, 100, 0.85)
    yield usual_gate(equal, 2, 100, 0.85)

    def rates(n: int, after: float = 0.85) -> Callable[[Random], Pairs]:
        return lambda random: [_booleans(random, n, 0.85, after)]

    def scores(n: int, difference: float = 0.0) -> Callable[[Random], Pairs]:
        return lambda random: [_numbers(random, n, difference)]

    for margin in (0.0, 0.02, 0.1):
        yield verdicts(equal, margin, rates(100), rate=True, rounds=rounds)
    yield verdicts("500 items, 85 % right in both", 0.05, rates(500), rate=True, rounds=rounds // 2)
    yield verdicts("20 items, equal scores", 0.0, scores(20), rate=False, rounds=rounds // 10)
    yield verdicts("100 items, equal scores", 0.0, scores(100), rate=False, rounds=rounds)
    yield verdicts("100 items, 3 trials, equal rates", 0.0, _trials, rate=True, rounds=rounds)
    ten = "100 items, 10 equal evaluations"
    yield verdicts(
        ten,
        0.0,
        lambda random: [_booleans(random, 100, 0.85, 0.85) for _ in range(10)],
        rate=True,
        rounds=rounds // 2,
    )
    yield verdicts("100 items, 85 % and 65 % right", 0.0, rates(100, 0.65), rate=True, rounds=rounds // 2)
    yield verdicts("500 items, 85 % and 75 % right", 0.02, rates(500, 0.75), rate=True, rounds=rounds // 2)
    yield verdicts("100 items, scores lower by 0.05", 0.0, scores(100, -0.05), rate=False, rounds=rounds // 2)


def tables() -> str:
    """Returns both tables in Markdown."""
    first = "\n".join([COVERAGE, *map(str, coverage())])
    second = "\n".join([ALARMS, *map(str, alarms())])
    return f"{first}\n\n{second}\n"


if __name__ == "__main__":
    print(tables(), end="")
