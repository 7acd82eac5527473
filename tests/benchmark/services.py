"""The benchmark's long-running processes: started, known by URL, always ended."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from tests.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Service:
    """A process of this benchmark that listens on a local port."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, Any]:
        """What the service counted since its last reset."""
        with urlopen(f"{self.url}/stats", timeout=60) as response:
            return dict(json.load(response))

    def last_record_ns(self) -> int:
        """CLOCK_MONOTONIC of the last record that a Langfuse sink got, which costs it nothing to tell."""
        with urlopen(f"{self.url}/last", timeout=60) as response:
            return int(json.load(response))

    def reset(self) -> None:
        """Forgets what was counted."""
        with urlopen(f"{self.url}/reset", data=b"", timeout=60):
            pass


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Service]:
    """Runs a module of this project that prints `{"port": n}` when it is ready."""
    with running([sys.executable, "-m", module, *arguments]) as program:
        ready = json.loads(program.wait_for(r"^\{.*\}$")[0])
        yield Service(program.process.pid, ready["port"])
