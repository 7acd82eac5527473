"""How several verdicts become one."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.spec.judges import JudgeReducer


class NoMajorityError(Exception):
    """The verdicts are split. The message says how."""


def reduce(values: Sequence[Value], reducer: JudgeReducer) -> Value:
    """Returns the one value of several, at least one, of the same kind.

    Raises:
        NoMajorityError: the two most frequent verdicts are as frequent as each other.
    """
    if reducer is JudgeReducer.MAJORITY:
        return _majority(values)
    numbers = [value for value in values if not isinstance(value, str)]
    match reducer:
        case JudgeReducer.MEAN:
            return statistics.fmean(numbers)
        case JudgeReducer.MEDIAN:
            return float(statistics.median(numbers))
        case JudgeReducer.MIN:
            return min(numbers)
        case JudgeReducer.MAX:
            return max(numbers)


def agreement(values: Sequence[Value], span: float) -> float:
    """Returns the share of verdicts that agree: with the most frequent one, or for scores with their median.

    A score agrees with the median if it is within a tenth of the scale of it.

    Args:
        values: at least one.
        span: how far the best score is from the worst; 0 for verdicts that are no scores.
    """
    if span:
        numbers = [value for value in values if not isinstance(value, str)]
        middle = statistics.median(numbers)
        return sum(abs(value - middle) <= span / 10 + 1e-12 for value in numbers) / len(numbers)
    return Counter(values).most_common(1)[0][1] / len(values)


def _majority(values: Sequence[Value]) -> Value:
    ranking = Counter(values).most_common()
    if len(ranking) > 1 and ranking[0][1] == ranking[1][1]:
        split = ", ".join(f"{_shown(value)} {count} times" for value, count in ranking[:5])
        raise NoMajorityError(f"the verdicts have no majority: {split}")
    return ranking[0][0]


def _shown(value: Value) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
    )
