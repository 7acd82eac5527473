"""Tables of the runs' figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from tests.benchmark.harness import Measurement
from tests.benchmark.table import print_table
from tests.benchmark.verdicts import Figures, steadiness, verdicts
from tests.benchmark.workloads import Workload

_HEAD = (
    "runner",
    "runs",
    "items/s",
    "wall s",
    "tasks from s",
    "to s",
    "CPU s/1000: client",
    "server",
    "endpoint",
    "peak MiB: client",
    "server",
    "first result ms",
    "last tenth/first",
    "in flight",
    "foreign cores",
    "mean",
)


def print_report(workloads: Sequence[Workload], measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Prints a table per workload and the verdicts; returns the verdicts for the result file."""
    figures = Figures(measurements)
    for workload in workloads:
        print(f"\n{workload.name}: {workload.description}; ideal {workload.ideal_seconds():.2f} s\n")
        runners = dict.fromkeys(m.runner for m in measurements if m.workload == workload.name)
        rows = [_row(figures, workload, runner) for runner in runners]
        print_table(_HEAD, sorted(rows, key=lambda row: -float(row[2].replace(",", ""))))
        _print_langfuse(figures, workload, list(runners))
    for measurement in measurements:
        for problem in measurement.problems:
            print(
                f"\nWRONG: {measurement.workload} {measurement.runner} round {measurement.round + 1}: {problem}"
            )
    found = [verdict for workload in workloads for verdict in verdicts(figures, workload)]
    if found:
        print()
        print_table(
            ("target", "measured", "met"),
            [(v.target, f"{v.measured:.2f}", "yes" if v.met else "no") for v in found],
        )
    return [asdict(verdict) for verdict in found]


def _row(figures: Figures, workload: Workload, runner: str) -> list[str]:
    def show(figure: Callable[[Measurement], float | None], form: str) -> str:
        values = [value for m in figures.runs(workload, runner) if (value := figure(m)) is not None]
        return format(statistics.median(values), form) if values else "-"

    return [
        runner,
        str(len(figures.runs(workload, runner))),
        show(lambda m: m.items_per_second, ",.0f"),
        show(lambda m: m.seconds, ".2f"),
        show(lambda m: m.tasks_from, ".2f"),
        show(lambda m: m.tasks_to, ".2f"),
        show(lambda m: m.cpu["client"], ".2f"),
        show(lambda m: m.cpu.get("server"), ".2f"),
        show(lambda m: m.cpu["endpoint"], ".2f"),
        show(lambda m: m.peak_mib["client"], ".0f"),
        show(lambda m: m.peak_mib.get("server"), ".0f"),
        show(lambda m: m.first_result_ms, ",.0f"),
        show(steadiness, ".2f"),
        show(lambda m: m.max_in_flight, ".0f"),
        show(lambda m: m.foreign_cores, ".2f"),
        show(lambda m: m.mean if isinstance(m.mean, float) else None, ".3f"),
    ]


def _print_langfuse(figures: Figures, workload: Workload, runners: Sequence[str]) -> None:
    rows = []
    for runner in runners:
        runs = [m for m in figures.runs(workload, runner) if m.langfuse]
        if not runs:
            continue
        sent, items = runs[0].langfuse or {}, workload.items
        requests = "; ".join(f"{route} {count}" for route, count in sorted(sent["requests"].items()))
        per_item = [sent["spans"] / items, sent["distinct_scores"] / items, sent["kib"] / items]
        total = sum(sent["requests"].values()) * 1000 / items
        cpu = statistics.median(m.cpu["langfuse"] for m in runs)
        rows.append([runner, f"{total:.0f}", *(f"{value:.3f}" for value in per_item), f"{cpu:.2f}", requests])
    if rows:
        print()
        print_table(
            (
                "to Langfuse",
                "requests/1000",
                "spans/item",
                "scores/item",
                "KiB/item",
                "CPU s/1000",
                "requests",
            ),
            rows,
        )
