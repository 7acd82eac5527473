"""Calls of models that judge: as patient with a busy API as tasks are, and each bounded by the evaluator's timeout."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.stopwatch import Stopwatch, time_limit
from evalrpc_server.evaluators.port import EvaluatorError
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.failures import EVALUATOR_REASONS, CallFailedError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets import vendors
from evalrpc_server.targets.port import TaskError

T = TypeVar("T")

MAX_ATTEMPTS = 4
"""How often a call is made that fails in a way that may pass."""

DEFAULT_SECONDS = 120.0
"""How long a call may take where nobody says."""

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 8.0
_ROLE = "judge's"
_REASONS = {
    Reason.TASK_REFUSED: Reason.JUDGE_REFUSED,
    Reason.TASK_HTTP_STATUS: Reason.EVALUATOR_HTTP_STATUS,
    Reason.TASK_QUOTA_EXHAUSTED: Reason.EVALUATOR_HTTP_STATUS,
    Reason.TASK_INVALID_JSON: Reason.EVALUATOR_INVALID_ANSWER,
    Reason.TASK_INVALID_ANSWER: Reason.EVALUATOR_INVALID_ANSWER,
}


def model_endpoint(
    outbound: Outbound, base_url: str, path: str, *, api_key: str, headers: Mapping[str, str] | None = None
) -> HttpEndpoint:
    """Prepares calls of an OpenAI-compatible API."""
    return vendors.vendor_endpoint(
        outbound, vendors.below(base_url, path), api_key=api_key, headers=headers or {}
    )


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Makes a call until it succeeds, fails for good, or has failed `MAX_ATTEMPTS` times.

    Each attempt may take as long as the time limit around says, which had better be held meanwhile.

    Args:
        call: makes one attempt; raises CallFailedError or, having read the answer, TaskError.

    Raises:
        EvaluatorError: why it failed the last time.
    """
    seconds = time_limit() or DEFAULT_SECONDS
    attempt = 1
    while True:
        stopwatch = Stopwatch(seconds, attempt=attempt)
        try:
            with stopwatch:
                return await call()
        except CallFailedError as failure:
            error, wait = failure.as_error(_ROLE, EVALUATOR_REASONS), failure.retry_after
        except TaskError as failure:
            error, wait = _of_evaluator(failure.error), failure.retry_after
        except TimeoutError:
            if not stopwatch.expired:
                raise
            error, wait = _late(seconds), None
        if not error.retryable or attempt >= MAX_ATTEMPTS:
            raise EvaluatorError(error)
        backoff = min(_FIRST_BACKOFF * 2 ** (attempt - 1), _LONGEST_BACKOFF)
        await asyncio.sleep(wait if wait is not None else backoff * random.uniform(0.5, 1.0))  # noqa: S311
        attempt += 1


def _of_evaluator(error: Error) -> Error:
    """Returns a failure as that of an evaluator; what reads answers of models speaks of tasks."""
    return Error(
        reason=_REASONS.get(error.reason, Reason.EVALUATOR_FAILED),
        message=error.message.replace("The task endpoint", f"The {_ROLE} endpoint", 1),
        metadata=error.metadata,
        retryable=error.retryable,
    )


def _late(seconds: float) -> Error:
    return Error(
        reason=Reason.EVALUATOR_TIMEOUT,
        message=f"The evaluator's model gave no complete answer within {seconds:g} s; raise the evaluator's timeout.",
        metadata={"timeout_seconds": f"{seconds:g}"},
        retryable=True,
    )
