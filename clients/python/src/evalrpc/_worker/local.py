"""Functions that are given to `run()` itself: hosted by a worker of its own, for as long as the run is followed."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from evalrpc._connection import Connection
from evalrpc._spec.evaluators import worker_evaluator
from evalrpc._spec.tasks import WorkerTask
from evalrpc._worker.execution import BackgroundLoop
from evalrpc._worker.functions import HostedFunction, Kind, hosted
from evalrpc._worker.host import Host

_CONNECT_SECONDS = 5.0  # a server that takes longer shows as unreachable in the run itself
_GRACE_SECONDS = 5.0
_MOST_IN_FLIGHT = 1000
_DEFAULT_CONCURRENCY = 50


class LocalFunctions:
    """The functions among an experiment's fields, under names that no other worker has."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(6)
        self._functions: dict[str, HostedFunction] = {}
        self._in_flight = _DEFAULT_CONCURRENCY

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._functions)

    def take(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields with each function replaced by what a spec says of it.

        Raises:
            TypeError: a function does not take the keyword arguments of its kind.
        """
        taken = dict(fields)
        if _is_function(task := taken.get("task")):
            taken["task"] = WorkerTask(function=self._host(task, Kind.TASK), include_expected_output=True)
        if _is_function(composite := taken.get("composite_evaluator")):
            taken["composite_evaluator"] = self._evaluator(composite, Kind.EVALUATOR)
        for field, kind in (("evaluators", Kind.EVALUATOR), ("run_evaluators", Kind.RUN_EVALUATOR)):
            given = taken.get(field)
            if isinstance(given, Sequence):
                taken[field] = [self._evaluator(e, kind) if _is_function(e) else e for e in given]
        concurrency = taken.get("max_concurrency") or _DEFAULT_CONCURRENCY
        self._in_flight = min(_MOST_IN_FLIGHT, concurrency * max(1, len(self._functions)))
        return taken

    @contextmanager
    def serving(self, connection: Connection) -> Generator[None]:
        """Hosts them while the block lasts, with coroutine functions on a loop in a thread of its own."""
        if not self:
            yield
            return
        loop = BackgroundLoop()
        host, thread = self._start(connection, loop)
        try:
            host.wait_until_connected(_CONNECT_SECONDS)
            yield
            host.drain(_GRACE_SECONDS)
        finally:
            host.stop()
            thread.join()
            loop.close()

    @asynccontextmanager
    async def serving_here(self, connection: Connection) -> AsyncGenerator[None]:
        """Hosts them while the block lasts, with coroutine functions on the running loop."""
        if not self:
            yield
            return
        loop = asyncio.get_running_loop()
        host, thread = self._start(connection, lambda: loop)
        try:
            await asyncio.to_thread(host.wait_until_connected, _CONNECT_SECONDS)
            yield
            await asyncio.to_thread(host.drain, _GRACE_SECONDS)
        finally:
            host.stop()
            await asyncio.shield(asyncio.to_thread(thread.join))

    def _start(self, connection: Connection, loop: Any) -> tuple[Host, threading.Thread]:
        host = Host(
            connection,
            self._functions,
            worker_id=f"run-{self._run}",
            max_in_flight=self._in_flight,
            loop=loop,
        )
        thread = threading.Thread(target=host.run, name="evalrpc worker", daemon=True)
        thread.start()
        return host, thread

    def _evaluator(self, function: Any, kind: Kind) -> Any:
        name = hosted(function, kind).name
        return worker_evaluator(self._host(function, kind), name=name)

    def _host(self, function: Any, kind: Kind) -> str:
        made = hosted(function, kind)
        name = f"{made.name[:200]}-{self._run}-{len(self._functions) + 1}"
        self._functions[name] = replace(made, name=name)
        return name


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)
