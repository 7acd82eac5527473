"""What the figures say of the targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmark.harness import Measurement
from tests.benchmark.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Verdict:
    """A target beside the figure that was measured for it."""

    target: str
    measured: float
    met: bool


class Figures:
    """Medians over the rounds."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._all = measurements

    def runs(self, workload: Workload, runner: str, items: int | None = None) -> list[Measurement]:
        """The runs of one row."""
        size = workload.items if items is None else items
        return [m for m in self._all if (m.workload, m.runner, m.items) == (workload.name, runner, size)]

    def median(
        self,
        workload: Workload,
        runner: str,
        figure: Callable[[Measurement], float],
        items: int | None = None,
    ) -> float | None:
        """The median of one figure, None when nothing was run."""
        values = [figure(m) for m in self.runs(workload, runner, items)]
        return statistics.median(values) if values else None

    def ratio(
        self,
        workload: Workload,
        figure: Callable[[Measurement], float],
        other: str,
        runner: str = "evalrpc",
    ) -> float | None:
        """A runner's median over another's."""
        ours, theirs = self.median(workload, runner, figure), self.median(workload, other, figure)
        return ours / theirs if ours and theirs else None


def at_least(target: str, measured: float | None, bound: float) -> Iterator[Verdict]:
    """Judges a figure that should be large; nothing where it was not measured."""
    if measured is not None:
        yield Verdict(f"{target} at least {bound:g}", measured, measured >= bound)


def at_most(target: str, measured: float | None, bound: float) -> Iterator[Verdict]:
    """Judges a figure that should be small; nothing where it was not measured."""
    if measured is not None:
        yield Verdict(f"{target} at most {bound:g}", measured, measured <= bound)


def verdicts(figures: Figures, workload: Workload) -> Iterator[Verdict]:
    """The targets that this workload speaks about, as far as both sides were measured."""
    for verdict in _verdicts(figures, workload):
        yield Verdict(f"{workload.name}: {verdict.target}", verdict.measured, verdict.met)


def _verdicts(figures: Figures, workload: Workload) -> Iterator[Verdict]:
    match workload.name:
        case "W1":
            yield from _beside_the_sdks(figures, workload)
            server_cpu = figures.median(workload, "evalrpc", lambda m: m.cpu["server"])
            yield from at_most("server CPU ms per item", server_cpu, 1.0)
            synced = figures.ratio(workload, _speed, "evalrpc", runner="evalrpc-langfuse")
            yield from at_least("items/s with sync over those without", synced, 0.75)
        case "W2" | "W4":
            wall = figures.ratio(workload, lambda m: m.seconds, "bare")
            yield from at_most("wall time over the bare loop's", wall, 1.05)
            first = figures.median(workload, "evalrpc", lambda m: m.first_result_ms)
            yield from at_most("first result, ms after the first answer", first, 20)
        case "H1":
            yield from _beside_the_sdks(figures, workload)
            requests = figures.ratio(workload, _requests, "langfuse-python")
            yield from at_most("requests to Langfuse over the Python SDK's", requests, 0.1)
        case "H2":
            at_once = next(other for other in WORKLOADS if other.name == "H1")
            late, soon = (figures.median(one, "evalrpc", _flow) for one in (workload, at_once))
            flow = late / soon if late and soon else None
            yield from at_least("items/s while tasks run, over those of H1", flow, 0.95)
    if workload.baseline_items:
        yield from _at_scale(figures, workload, workload.baseline_items)


def _beside_the_sdks(figures: Figures, workload: Workload) -> Iterator[Verdict]:
    yield from at_least(
        "items/s over Langfuse Python's", figures.ratio(workload, _speed, "langfuse-python"), 5
    )
    yield from at_least("items/s over Langfuse JS's", figures.ratio(workload, _speed, "langfuse-js"), 1)


def _at_scale(figures: Figures, workload: Workload, baseline: int) -> Iterator[Verdict]:
    small = figures.median(workload, "evalrpc", lambda m: m.peak_mib["server"], baseline)
    large = figures.median(workload, "evalrpc", lambda m: m.peak_mib["server"])
    growth = None if small is None or large is None else large - small
    yield from at_most(f"server's peak MiB above its peak at {baseline:,} items", growth, 64)
    steady = figures.median(workload, "evalrpc", steadiness)
    yield from at_least("last tenth's items/s over the first's", steady, 0.9)


def steadiness(measurement: Measurement) -> float:
    """Task answers per second in the last tenth of a run over those in the first."""
    tenths = measurement.tenths
    return tenths[-1] / tenths[0] if tenths else float("nan")


def _speed(measurement: Measurement) -> float:
    return measurement.items_per_second


def _flow(measurement: Measurement) -> float:
    """Task answers per second from the first to the last."""
    return measurement.items / (measurement.tasks_to - measurement.tasks_from)


def _requests(measurement: Measurement) -> float:
    """Requests to Langfuse."""
    return float(sum((measurement.langfuse or {}).get("requests", {}).values()))
