"""Measures evalrpc, its peers and a bare loop over the same work; prints a table and writes a JSON file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmark import harness
from tests.benchmark.measure import machine
from tests.benchmark.report import print_report
from tests.benchmark.runners import RUNNERS
from tests.benchmark.services import Service, started
from tests.benchmark.workloads import WORKLOADS, Workload


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the items, one round: a smoke run")
    parser.add_argument("--only", type=_names, help=f"workloads: {', '.join(w.name for w in WORKLOADS)}")
    parser.add_argument("--runners", type=_names, help=f"runners: {', '.join(RUNNERS)}")
    parser.add_argument("--rounds", type=int, help="rounds per figure (default 3)")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def plan(
    only: list[str] | None, runners: list[str] | None, *, quick: bool
) -> list[tuple[Workload, list[str]]]:
    """The workloads and who takes part in each.

    Raises:
        SystemExit: A name is unknown.
    """
    known = [workload.name for workload in WORKLOADS]
    for name in [*(only or []), *(runners or [])]:
        if name not in known and name not in RUNNERS:
            sys.exit(f"unknown name {name!r}; workloads: {', '.join(known)}; runners: {', '.join(RUNNERS)}")
    chosen = [workload for workload in WORKLOADS if not only or workload.name in only]
    return [
        (
            workload.quick() if quick else workload,
            [name for name in runners or workload.runners if name in RUNNERS],
        )
        for workload in chosen
    ]


def measure(
    work: list[tuple[Workload, list[str]]], rounds: int, endpoint: Service, failures: list[str]
) -> list[harness.Measurement]:
    """Runs every workload by every runner once per round, from a different runner each round.

    What is compared runs close together, so that it meets the same machine. A run that fails is added to `failures`, and the
    others go on.
    """
    measurements = []
    for number in range(rounds):
        for workload, runners in work:
            if workload.rounds is not None and number >= workload.rounds:
                continue
            for step in range(len(runners)):
                runner = RUNNERS[runners[(step + number) % len(runners)]]
                for size in [workload.baseline(), workload] if workload.baseline_items else [workload]:
                    try:
                        measurements.append(harness.run(runner, size, number, endpoint))
                    except harness.DriverError as error:
                        failures.append(f"{workload.name} round {number + 1}: {error}")
                        print(failures[-1], file=sys.stderr, flush=True)
                    else:
                        _tell(measurements[-1])
    return measurements


def _tell(measurement: harness.Measurement) -> None:
    note = f" PROBLEMS: {'; '.join(measurement.problems)}" if measurement.problems else ""
    print(
        f"{measurement.workload} round {measurement.round + 1}: {measurement.runner}, {measurement.items:,} items, "
        f"{measurement.items_per_second:,.0f} items/s{note}",
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    """Returns 1 when any run failed, or lost, repeated or mis-scored an item."""
    options = arguments()
    rounds = options.rounds or (1 if options.quick else 3)
    work = plan(options.only, options.runners, quick=options.quick)
    for name in sorted({name for _, runners in work for name in runners}):
        RUNNERS[name].prepare()
    began = datetime.now(UTC)
    failures: list[str] = []
    with started("tests.benchmark.endpoint") as endpoint:
        measurements = measure(work, rounds, endpoint, failures)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    verdicts = print_report([workload for workload, _ in work], measurements)
    document = {
        "began": began.isoformat(),
        "seconds": round(time.time() - began.timestamp()),
        "quick": options.quick,
        "machine": machine(),
        "verdicts": verdicts,
        "failures": failures,
        "runs": [measurement.as_json() for measurement in measurements],
    }
    options.output.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwritten to {options.output}")
    for failure in failures:
        print(f"FAILED: {failure.splitlines()[0]}")
    return 1 if failures or any(measurement.problems for measurement in measurements) else 0


if __name__ == "__main__":
    sys.exit(main())
