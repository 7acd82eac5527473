"""What bounds an expression that the engine's own budget does not: processor time and memory of its process.

Ten thousand steps over a document of 1 MiB can take minutes or gigabytes, inside one call of a C++ library that nothing
in Python can interrupt. So expressions run in processes of their own, which the kernel ends at a limit.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CPU_SECONDS = 1.0
"""Processor time of one evaluation. Whatever it reaches ends the process."""

MEMORY_BYTES = 1024**3
"""Address space of a process that evaluates expressions."""


def limit_memory() -> None:
    """Bounds the memory of this process from here on, and has it leave no core dump."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


@contextmanager
def bounded_time() -> Iterator[None]:
    """Ends this process if the body takes more than `CPU_SECONDS` of processor time (SIGPROF, which nobody handles)."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
