"""What a driver is told and what it reports. Standard library only: drivers also run in the peers' environments."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Item = dict[str, Any]


@dataclass
class Job:
    """The work, as the harness wrote it to a JSON file.

    Attributes:
        items_file: One JSON object per line: `id`, `input`, `expected_output`.
        concurrency: Task calls in flight.
        task_url: The endpoint to POST `{"input": ...}` to.
        langfuse_url: Base URL of the Langfuse sink, or empty.
        dataset: Name of the hosted dataset to run over instead of the items, or empty.
        server: `host:port` of the evalrpc server, or empty.
    """

    items_file: str
    concurrency: int
    task_url: str
    langfuse_url: str = ""
    dataset: str = ""
    server: str = ""

    @classmethod
    def read(cls) -> Job:
        """The job whose file is named by the last argument of the command line."""
        return cls(**json.loads(Path(sys.argv[-1]).read_text()))

    def items(self) -> list[Item]:
        """All items, in order."""
        with Path(self.items_file).open() as lines:
            return [json.loads(line) for line in lines]


@dataclass
class Outcome:
    """What came of a job; times are CLOCK_MONOTONIC nanoseconds, which all processes of a machine share."""

    started_ns: int = 0
    first_result_ns: int = 0
    ended_ns: int = 0
    cpu_seconds: float = 0.0
    results: int = 0
    mean: float | str | bool | None = None
    peak_mib: float = 0.0
    notes: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Begins the time that counts: everything that a caller of the runner waits for."""
        self.cpu_seconds = -time.process_time()
        self.started_ns = time.monotonic_ns()

    def first_result(self) -> None:
        """Notes that a result is in the caller's hands; only the first call counts."""
        self.first_result_ns = self.first_result_ns or time.monotonic_ns()

    def end(self) -> None:
        """Ends the time that counts."""
        self.ended_ns = time.monotonic_ns()
        self.cpu_seconds += time.process_time()
        self.first_result_ns = self.first_result_ns or self.ended_ns

    def report(self) -> None:
        """Prints the outcome for the harness."""
        self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(asdict(self)), flush=True)


def exact(output: object, expected: object) -> float:
    """The first evaluator: 1 for a right answer."""
    return 1.0 if output == expected else 0.0


def length(output: str) -> float:
    """The second evaluator."""
    return float(len(output))
