"""Settling: what an outside system has to say before an experiment runs that was accepted without asking it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import Error, RequestError, UnavailableError
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.runner.hosting import RunError
from evalrpc_server.runner.recorder import Recorder
from evalrpc_server.runner.reporting import Reporter

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 3600.0
"""How long an outage of the system is waited out before the experiment fails."""

_MAX_PAUSE = 60.0

Settle = Callable[[Experiment], Awaitable[tuple[Experiment, Reporter]]]
"""Asks the system; returns the experiment with what is fixed from now on, and what tells of it. Raises RequestError."""


class Settling:
    """Asks until there is an answer, and shows meanwhile what the experiment waits for."""

    def __init__(
        self, settle: Settle, recorder: Recorder, clock: Clock, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._settle = settle
        self._recorder = recorder
        self._clock = clock
        self._patience = patience

    async def settle(self) -> None:
        """Stores the experiment as the system has it.

        Raises:
            RunError: the system refuses, or does not answer for too long.
        """
        until = self._clock.monotonic() + self._patience
        while True:
            try:
                settled, reporter = await self._settle(self._recorder.experiment)
            except UnavailableError as error:
                if self._clock.monotonic() >= until:
                    raise RunError(_as_error(error)) from None
                await self._wait(error)
            except RequestError as error:
                raise RunError(_as_error(error)) from None
            else:
                await self._recorder.settle(settled, reporter)
                return

    async def _wait(self, error: UnavailableError) -> None:
        if self._recorder.experiment.waiting is None:
            logger.warning(
                "an experiment waits for an outside system",
                extra={"experiment_id": self._recorder.experiment.id, "cause": error.message},
            )
            await self._recorder.note_waiting(_as_error(error, retryable=True))
        await self._clock.sleep(min(max(error.retry_after, 1.0), _MAX_PAUSE))


def _as_error(error: RequestError, *, retryable: bool = False) -> Error:
    return Error(
        reason=error.reason, message=error.message, metadata=dict(error.metadata), retryable=retryable
    )
