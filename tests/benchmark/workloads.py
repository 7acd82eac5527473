"""The work that every runner does: how many items, how slow the task, how many at once."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of a log-normal distribution: the standard normal's 99th percentile.
_Z99 = 2.3263478740408408

# Of the seeds 1 to 30 the draw in which a single long item decides least: scheduled in order without any overhead it
# takes 5.67 s, its sum over the slots is 4.80 s. Most draws end with one item that everybody waits for alike.
_SEED = 27

EVERYONE = ("bare", "evalrpc", "langfuse-python", "langfuse-js")


@dataclass(frozen=True)
class Workload:
    """One row group of the table.

    Attributes:
        name: As asked for with `--only`.
        items: Number of items.
        latency_ms: The task's latency, the same for all items; with `latency_p99_ms` the median of a log-normal draw.
        latency_p99_ms: 99th percentile of that draw, which has a fixed seed; None for a constant latency.
        concurrency: Task calls in flight.
        runners: Who takes part unless `--runners` says otherwise.
        baseline_items: Also run with this many items, to tell what memory grows by; None to leave that out.
        padding: Bytes added to each item's input.
        hosted: The items are a Langfuse dataset, and the time counts until Langfuse has accepted every record.
        langfuse_latency_ms: Time that the Langfuse sink takes to answer.
        rounds: Most rounds per figure; None for as many as the others.
    """

    name: str
    items: int
    concurrency: int
    latency_ms: float = 0.0
    latency_p99_ms: float | None = None
    runners: tuple[str, ...] = EVERYONE
    baseline_items: int | None = None
    padding: int = 0
    hosted: bool = False
    langfuse_latency_ms: float = 0.0
    rounds: int | None = None

    @property
    def description(self) -> str:
        """One line for the table's head."""
        latency = f"{self.latency_ms:g} ms"
        if self.latency_p99_ms is not None:
            latency = f"log-normal (median {latency}, p99 {self.latency_p99_ms:g} ms)"
        text = f"{self.items:,} items, {latency}, concurrency {self.concurrency}"
        if self.hosted:
            text += f", hosted dataset, Langfuse answers in {self.langfuse_latency_ms:g} ms"
        return text

    def quick(self) -> Workload:
        """The same on a tenth of the items (W3 and H3: a fiftieth), for a smoke run whose figures mean little."""
        return replace(
            self,
            items=max(100, self.items // (50 if self.baseline_items else 10)),
            baseline_items=self.baseline_items and 200,
        )

    def baseline(self) -> Workload:
        """The small run to compare memory with."""
        assert self.baseline_items is not None
        return replace(self, items=self.baseline_items, baseline_items=None)

    def latencies(self) -> list[float]:
        """Milliseconds per item."""
        if self.latency_p99_ms is None:
            return [self.latency_ms] * self.items
        draw = random.Random(_SEED)
        sigma = math.log(self.latency_p99_ms / self.latency_ms) / _Z99
        return [draw.lognormvariate(math.log(self.latency_ms), sigma) for _ in range(self.items)]

    def ideal_seconds(self) -> float:
        """Wall time of a scheduler without any overhead that starts the items in their order."""
        slots = [0.0] * self.concurrency
        for latency in self.latencies():
            earliest = min(range(len(slots)), key=slots.__getitem__)
            slots[earliest] += latency / 1000
        return max(slots)

    def write(self, path: Path) -> None:
        """Writes the items, one JSON object per line: `{"id", "input", "expected_output"}`."""
        with path.open("w") as file:
            file.writelines(json.dumps(item) + "\n" for item in self._items())

    def _items(self) -> Iterator[dict[str, object]]:
        padding = {"padding": "x" * self.padding} if self.padding else {}
        for index, latency in enumerate(self.latencies()):
            answer = f"Answer {index}"
            yield {
                "id": f"item-{index}",
                "input": {
                    "index": index,
                    "question": f"What is the answer to question {index}?",
                    "answer": answer,
                    "latency_ms": round(latency, 3),
                    **padding,
                },
                "expected_output": answer,
            }


WORKLOADS = (
    Workload("W1", items=2_000, concurrency=50, runners=(*EVERYONE, "evalrpc-langfuse")),
    Workload("W2", items=1_000, concurrency=50, latency_ms=100),
    Workload("W3", items=100_000, concurrency=100, runners=("bare", "evalrpc"), baseline_items=1_000),
    Workload("W4", items=1_000, concurrency=50, latency_ms=100, latency_p99_ms=2_000),
    Workload("W5", items=300, concurrency=10, latency_ms=50, runners=("evalrpc-watchers",), padding=1_024),
    Workload("H1", items=2_000, concurrency=50, runners=EVERYONE[1:], hosted=True),
    Workload("H2", items=2_000, concurrency=50, runners=EVERYONE[1:], hosted=True, langfuse_latency_ms=50),
    Workload(
        "H3",
        items=100_000,
        concurrency=100,
        runners=("evalrpc",),
        hosted=True,
        baseline_items=1_000,
        rounds=1,
    ),
)
"""W1 takes the items from the caller, and `evalrpc-langfuse` records them; H1 and H2 are W1 with a hosted dataset."""
