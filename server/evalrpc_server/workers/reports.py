"""Reports: what workers say became of their calls, and when they may forget it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.workers.dispatch import Dispatcher
from evalrpc_server.workers.functions import FunctionKind
from evalrpc_server.workers.tokens import TaskTokens
from evalrpc_server.workers.work import Failed, HandedBack, Outcome

_REMEMBERED = 10_000


class Acknowledge(Protocol):
    """A way to tell a worker that it may forget a token."""

    def __call__(self, token: str, *, ignored: bool) -> None:
        """Tells it, and whether the report was ignored."""


class Reports:
    """Takes reports in, and acknowledges each once it is stored with what it belongs to.

    The same report may come again, after a broken stream: it is acknowledged together with the first.
    """

    def __init__(self, dispatcher: Dispatcher, tokens: TaskTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens
        self._pending: dict[str, list[Acknowledge]] = {}
        self._units: dict[str, dict[str, list[str]]] = {}
        self._stored: OrderedDict[str, None] = OrderedDict()

    def take(
        self, token: str, read: Callable[[FunctionKind], Outcome | HandedBack], acknowledge: Acknowledge
    ) -> None:
        """Takes a report in.

        Args:
            token: the attempt.
            read: reads the report of a function of some kind; only called where somebody waits for it.
            acknowledge: called once, now or when the report is stored.

        Raises:
            NotFoundError: no server on this store has issued the token.
        """
        lease = self._dispatcher.lease(token)
        if lease is not None:
            outcome = read(lease.work.function.kind)
            if isinstance(outcome, HandedBack):
                acknowledge(token, ignored=False)
            else:
                self._pending[token] = [acknowledge]
                units = self._units.setdefault(lease.work.experiment_id, {})
                units.setdefault(lease.work.unit, []).append(token)
                if isinstance(outcome, Failed):
                    lease.worker.failed += 1
                else:
                    lease.worker.completed += 1
            self._dispatcher.finish(lease, outcome)
        elif token in self._pending:
            self._pending[token].append(acknowledge)
        elif token in self._stored or self._tokens.issued(token):
            acknowledge(token, ignored=token not in self._stored)
        else:
            raise NotFoundError(
                Reason.TASK_TOKEN_UNKNOWN,
                "no server on this store has issued the task token",
                task_token=token[:100],
            )

    def knows(self, token: str) -> bool:
        """Whether a worker may still have the token, as its report was not acknowledged or only a moment ago."""
        return token in self._pending or token in self._stored

    def stored(self, experiment_id: str, unit: str) -> None:
        """Acknowledges what is stored with a unit."""
        units = self._units.get(experiment_id)
        if units is None:
            return
        for token in units.pop(unit, ()):
            self._stored[token] = None
            self._settle(token, ignored=False)
        if not units:
            del self._units[experiment_id]
        while len(self._stored) > _REMEMBERED:
            self._stored.popitem(last=False)

    def release(self, experiment_id: str) -> None:
        """Acknowledges what will not be stored any more."""
        for tokens in self._units.pop(experiment_id, {}).values():
            for token in tokens:
                self._settle(token, ignored=True)

    def _settle(self, token: str, *, ignored: bool) -> None:
        for acknowledge in self._pending.pop(token, ()):
            acknowledge(token, ignored=ignored)
