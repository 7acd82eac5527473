"""What one experiment needs of workers, and what it tells them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.dispatch import Dispatcher
from evalrpc_server.workers.functions import FunctionRef
from evalrpc_server.workers.reports import Reports
from evalrpc_server.workers.roster import Roster


class WorkerHosting:
    """The worker functions of one experiment."""

    def __init__(
        self,
        experiment_id: str,
        functions: tuple[FunctionRef, ...],
        *,
        roster: Roster,
        dispatcher: Dispatcher,
        reports: Reports,
    ) -> None:
        self._experiment_id = experiment_id
        self._functions = functions
        self._roster = roster
        self._dispatcher = dispatcher
        self._reports = reports

    def absent(self) -> Error | None:
        """Returns which of the functions that every trial needs has no worker."""
        absent = next((each for each in self._functions if not self._roster.hosts(each)), None)
        return _no_worker(absent) if absent else None

    def starved(self) -> Error | None:
        """Returns which function has calls of this experiment waiting for it, and no worker."""
        starving = self._dispatcher.starving(self._experiment_id)
        return _no_worker(starving) if starving else None

    def changed(self) -> Coroutine[Any, Any, object]:
        """Returns what ends once workers have come or gone, or a call found none."""
        return self._roster.changed()

    def stored(self, unit: str) -> None:
        """Acknowledges what was reported of a trial or of the run."""
        self._reports.stored(self._experiment_id, unit)

    def close(self) -> None:
        """Acknowledges what will not be stored any more."""
        self._reports.release(self._experiment_id)


def _no_worker(function: FunctionRef) -> Error:
    kind = function.kind.lower().replace("_", " ")
    return Error(
        reason=Reason.NO_WORKER,
        message=f"No connected worker hosts the {kind} function {function.name!r}; start one that does.",
        metadata={"function": function.name},
        retryable=True,
    )
