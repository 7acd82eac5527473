"""The executors that a server can be configured to judge with."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Literal

from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.expression.limits import limit_memory


def open_batcher(kind: Literal["threads", "processes"] = "threads", workers: int = 2) -> ExecutorBatcher:
    """Returns a batcher over a pool of threads or of processes; the caller closes it.

    Threads share documents with the server and start at once. Processes use several cores, since builtins written in
    Python hold the interpreter's lock, and pay for it by copying documents.
    """
    make = _processes if kind == "processes" else _threads
    return ExecutorBatcher(partial(make, workers), slots=workers)


def open_sandbox(workers: int = 1) -> ExecutorBatcher:
    """Returns a batcher over processes of bounded memory, which are started when something is first run in them."""
    return ExecutorBatcher(partial(_sandboxes, workers), slots=workers)


def _threads(workers: int) -> Executor:
    return ThreadPoolExecutor(workers, thread_name_prefix="evaluator")


def _processes(workers: int) -> Executor:
    # Spawned, because a forked copy of a process with threads may hold locks that nobody releases.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_the_parent)


def _sandboxes(workers: int) -> Executor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _confine)


def _confine() -> None:
    _follow_the_parent()
    limit_memory()


def _follow_the_parent() -> None:
    """Leaves signals to the parent, and ends with it: a server that is killed leaves no processes behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
