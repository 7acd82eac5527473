"""How a stream of events survives cuts: the rules, apart from any connection.

The server numbers events without gaps, stores each before it sends it, and can resume behind any of them. So a client
that remembers the last number sees every event once, however often the stream breaks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from evalrpc._convert.experiments import is_final
from evalrpc._errors import EvalrpcError, ServerUnreachableError, UnavailableError, WatchInterruptedError
from evalrpc._jitter import JITTER
from evalrpc.v1 import event_pb2

DEFAULT_PATIENCE = 300.0

_log = logging.getLogger("evalrpc")

_FIRST_BACKOFF = 0.1
_MAX_BACKOFF = 5.0
_UNREACHED_ATTEMPTS = 4
_TRANSPORT_CODES = frozenset({"INTERNAL", "UNKNOWN", "CANCELLED", "DATA_LOSS"})


class Resumption:
    """Where a stream of events is, and whether and when it goes on after a cut.

    Attributes:
        experiment_id: None until an event told it.
        sequence: of the last event taken in.
        finished: whether the last event of all was taken in.
    """

    def __init__(
        self,
        *,
        experiment_id: str | None = None,
        after_sequence: int = 0,
        patience: float = DEFAULT_PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = JITTER.random,
    ) -> None:
        """Starts behind an event.

        Args:
            experiment_id: what to watch; None for an experiment that is still to be started.
            after_sequence: the event to start behind.
            patience: for how many seconds without a message to try again; 0 for not at all.
            clock: returns the time in seconds.
            jitter: returns random numbers from 0 to 1.
        """
        self.experiment_id = experiment_id
        self.sequence = after_sequence
        self.finished = False
        self._patience = patience
        self._clock = clock
        self._jitter = jitter
        self._reached = False
        self._attempt = 0
        self._silent_since: float | None = None
        self._draining = False

    def accept(self, message: event_pb2.ExperimentEvent) -> bool:
        """Takes in what the server sent; tells whether it is news to the caller.

        Checkpoints, repeats and kinds of events that this version does not know are not.

        Raises:
            UnavailableError: an event is missing before this one, so the stream must be taken up anew.
        """
        self._reached = True
        kind = message.WhichOneof("kind")
        if kind == "checkpoint":
            self._draining = message.checkpoint.draining
            if not self._draining:
                self._attempt, self._silent_since = 0, None
            return False
        if message.sequence <= self.sequence:
            return False
        if message.sequence != self.sequence + 1:
            raise UnavailableError(
                f"the server sent event {message.sequence} after {self.sequence}", code="UNAVAILABLE"
            )
        self.sequence = message.sequence
        self._draining, self._attempt, self._silent_since = False, 0, None
        if kind == "experiment":
            self.experiment_id = message.experiment.id
            self.finished = is_final(message.experiment.state)
        return kind is not None

    def delay(self, failure: EvalrpcError | None) -> float:
        """Returns the seconds to wait before the next try, after a failure or an end that came too early.

        Raises:
            EvalrpcError: the failure is not a passing one, or the patience is at its end.
        """
        error = failure or UnavailableError("the stream ended before the experiment did", code="UNAVAILABLE")
        if not is_passing(error):
            raise error
        unreachable = isinstance(error, ServerUnreachableError)
        self._reached = self._reached or not unreachable
        now = self._clock()
        if self._silent_since is None:
            self._silent_since = now
        self._attempt += 1
        if self._draining and self._attempt == 1 and self._patience > 0:
            return 0.0  # announced: the next server may be there already
        if not self._reached and self._attempt >= _UNREACHED_ATTEMPTS:
            raise error  # there never was a connection: more likely a wrong address than a restart
        longest = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2.0 ** min(self._attempt, 16))
        pause = longest * (0.5 + self._jitter() / 2)
        if error.retry_after is not None:
            pause = max(pause, error.retry_after)
        if now - self._silent_since + pause > self._patience:
            raise self._interrupted(error) from error
        what = self.experiment_id or "the start"
        _log.info("%s broke off, trying again in %.1f s: %s", what, pause, error.message)
        return pause

    def _interrupted(self, error: EvalrpcError) -> EvalrpcError:
        if self.experiment_id is None or isinstance(error, WatchInterruptedError):
            return error
        return WatchInterruptedError(
            f"watching experiment {self.experiment_id} broke off after event {self.sequence}: {error.message}",
            code=error.code,
            reason=error.reason,
            metadata={
                **error.metadata,
                "experiment_id": self.experiment_id,
                "after_sequence": str(self.sequence),
            },
        )


def is_passing(error: EvalrpcError) -> bool:
    """Tells whether a stream that failed like this may be taken up again.

    The server says UNAVAILABLE, or names a pause. Of the rest, what carries no reason of an evalrpc server was made up
    on the way, by a proxy or a broken connection.
    """
    if isinstance(error, UnavailableError) or error.retry_after is not None:
        return True
    return error.code in _TRANSPORT_CODES and error.reason is None
