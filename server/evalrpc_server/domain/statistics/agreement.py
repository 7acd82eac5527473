"""How far two raters agree, one of them a judge."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from msgspec import Struct

from evalrpc_server.domain.statistics.distributions import critical_normal
from evalrpc_server.domain.statistics.intervals import DEFAULT_CONFIDENCE, Interval, rate_interval


class Agreement(Struct, frozen=True, kw_only=True):
    """The agreement of two raters over `n` things; None where it is not defined.

    Attributes:
        accuracy: the share of equal verdicts.
        accuracy_interval: Wilson's.
        kappa: the agreement beyond chance; None where chance alone would agree always.
        kappa_interval: by the large-sample standard error, within -1 and 1.
    """

    n: int
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    kappa: float | None = None
    kappa_interval: Interval | None = None


def agreement(
    pairs: Sequence[tuple[Hashable, Hashable]], confidence: float = DEFAULT_CONFIDENCE
) -> Agreement:
    """Returns the agreement of two raters over the same things.

    With p_ij the share of things that the first rater puts into category i and the second into j, p_i. and p_.i the
    shares of each rater, p_o = sum p_ii and p_e = sum p_i. p_.i: kappa = (p_o - p_e) / (1 - p_e) (Cohen 1960), and its
    variance is (A + B - C) / (n (1 - p_e)^2) with

        A = sum_i p_ii (1 - (p_i. + p_.i) (1 - kappa))^2
        B = (1 - kappa)^2 sum_(i != j) p_ij (p_.i + p_j.)^2
        C = (kappa - p_e (1 - kappa))^2

    (Fleiss, Cohen and Everitt 1969, formula 13).

    Args:
        pairs: the verdicts of both on each thing.
        confidence: of the intervals.
    """
    n = len(pairs)
    if not n:
        return Agreement(n=0)
    shares = {pair: count / n for pair, count in Counter(pairs).items()}
    first = {each: count / n for each, count in Counter(one for one, _ in pairs).items()}
    second = {each: count / n for each, count in Counter(other for _, other in pairs).items()}
    observed = sum(one == other for one, other in pairs) / n
    found = Agreement(
        n=n, accuracy=observed, accuracy_interval=rate_interval(observed, n, confidence=confidence)
    )
    chance = sum(share * second.get(each, 0.0) for each, share in first.items())
    if math.isclose(chance, 1.0):
        return found
    kappa = (observed - chance) / (1 - chance)
    a = sum(
        share * (1 - (first[i] + second[i]) * (1 - kappa)) ** 2 for (i, j), share in shares.items() if i == j
    )
    b = (1 - kappa) ** 2 * sum(
        share * (second.get(i, 0.0) + first.get(j, 0.0)) ** 2 for (i, j), share in shares.items() if i != j
    )
    c = (kappa - chance * (1 - kappa)) ** 2
    reach = critical_normal(confidence) * math.sqrt(max(a + b - c, 0.0) / n) / (1 - chance)
    return Agreement(
        n=n,
        accuracy=observed,
        accuracy_interval=found.accuracy_interval,
        kappa=kappa,
        kappa_interval=Interval(
            low=max(-1.0, kappa - reach), high=min(1.0, kappa + reach), confidence=confidence
        ),
    )
