"""Measures the comparison of two large runs: `python -m tests.benchmark.comparison [--items N]`.

Two experiments with three evaluations each are put into a SQLite store, then compared in a process of its own, as the server
does it: read from the store, reduced, tested, flips shown with both outputs. Meanwhile the event loop is asked every 5 ms
whether it is free.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from evalrpc_server.domain.documents import document_from_value
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import ItemResult, TaskOutcome
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.verdicts import ComparisonSpec
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.conclusion import Conclusions
from evalrpc_server.store.port import Commit, Store
from evalrpc_server.store.registry import open_store

ITEMS = 100_000
RUNS = ("baseline", "candidate")
TICK = 0.005

_BATCH = 2000
_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Fills a store, compares in a fresh process, and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(fill(Path(directory), arguments.items))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(measured, (directory,))
    print(f"{arguments.items:,} items in each of two runs, three evaluations, SQLite")
    for name, value in found.items():
        print(f"  {name:<28} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"items": arguments.items, **found}))
    return 0


async def fill(directory: Path, count: int) -> None:
    """Stores the runs: about 85 % and 84 % right, with scores that go along."""
    store = open_store(directory)
    await store.open()
    try:
        for number, name in enumerate(RUNS):
            await _store_run(store, name, count, 0.85 - number / 100, random.Random(number))
    finally:
        await store.close()


async def _store_run(store: Store, name: str, count: int, rate: float, source: random.Random) -> None:
    spec = ExperimentSpec.model_validate(
        {"name": name, "items": {"count": count}, "task": {"http": {"url": "http://127.0.0.1:9/"}}}
    )
    experiment = Experiment(id=name, spec=spec, items=name, create_time=_TIME, sequence=1)
    items = [
        Item(
            index=index,
            id=f"item-{index}",
            input=document_from_value(f"What is the capital of country {index}?"),
        )
        for index in range(count)
    ]
    event = Event(sequence=1, time=_TIME, progress=experiment.progress, body=experiment)
    await store.create_experiment(Commit(experiment=experiment, events=[event]), items=items)
    for first in range(0, count, _BATCH):
        results = [_result(item, source, rate) for item in items[first : first + _BATCH]]
        events = [
            Event(sequence=experiment.sequence + place, time=_TIME, progress=experiment.progress, body=result)
            for place, result in enumerate(results, 1)
        ]
        experiment = replace(experiment, sequence=experiment.sequence + len(events))
        await store.commit(Commit(experiment=experiment, events=events))
    ended = replace(experiment, state=State.SUCCEEDED, sequence=experiment.sequence + 1)
    event = Event(sequence=ended.sequence, time=_TIME, progress=ended.progress, body=ended)
    await store.commit(Commit(experiment=ended, events=[event]))


def _result(item: Item, source: random.Random, rate: float) -> ItemResult:
    right = source.random() < rate
    outcome = TaskOutcome(
        output=document_from_value("The capital is " + "x" * 100),
        start_time=_TIME,
        task_duration=0.1,
        attempts=1,
    )
    return ItemResult(
        item=item,
        trial=1,
        outcome=outcome,
        evaluations=(
            Evaluation(name="accuracy", evaluator="builtin/exact_match@1", value=right),
            Evaluation(
                name="similarity", evaluator="builtin/rouge_l@1", value=0.5 * right + source.random() / 2
            ),
            Evaluation(name="length", evaluator="builtin/length@1", value=float(source.randrange(50, 200))),
        ),
        trace_id="ab" * 16,
    )


def measured(directory: str) -> dict[str, float]:
    """Compares the stored runs; returns seconds, megabytes and the longest wait for the event loop."""
    return asyncio.run(_measured(Path(directory)))


async def _measured(directory: Path) -> dict[str, float]:
    store = open_store(directory)
    await store.open()
    lags: list[float] = []
    watching = asyncio.create_task(_watch(lags))
    try:
        before, cpu, begin = _peak(), time.process_time(), time.perf_counter()
        spec = ComparisonSpec.model_validate({"experiments": [{"id": name} for name in RUNS]})
        (compared,) = await Comparisons(store).compare(spec)
        seconds, used, peak = time.perf_counter() - begin, time.process_time() - cpu, _peak()
        assert len(compared.found.evaluations) == 3, "all evaluations were compared"
        experiment: Any = await store.get_experiment(RUNS[0])
        begin = time.perf_counter()
        await Conclusions(store).draw(experiment)
        summary = time.perf_counter() - begin
    finally:
        watching.cancel()
        await store.close()
    return {
        "comparison, s": seconds,
        "comparison, s of CPU": used,
        "process at most, MB": peak,
        "of it by the comparison, MB": peak - before,
        "longest wait of the loop, ms": max(lags) * 1000,
        "summary of one run, s": summary,
    }


async def _watch(lags: list[float]) -> None:
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(time.perf_counter() - begin - TICK)


def _peak() -> float:
    """Returns the most memory that this process had, in megabytes, without what its parent had."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
