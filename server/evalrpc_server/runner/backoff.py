"""How long to wait before a failed call is repeated."""

from __future__ import annotations

import random
from collections.abc import Callable

from evalrpc_server.domain.spec.experiment import RetrySpec


def retry_delay(
    retry: RetrySpec,
    attempt: int,
    retry_after: float | None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float:
    """Returns the seconds to wait after a failed attempt (from 1).

    Exponential back-off with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015),
    and never less than what the endpoint asked for.
    """
    longest = min(retry.max_backoff, retry.initial_backoff * retry.multiplier ** (attempt - 1))
    return max(uniform(0.0, longest), retry_after or 0.0)
