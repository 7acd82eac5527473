"""One run of one runner over one workload, measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.benchmark.drivers.job import Job, Outcome
from tests.benchmark.measure import cpu_seconds, machine_cpu_seconds, peak_mib
from tests.benchmark.runners.base import Runner, Server
from tests.benchmark.services import Service, started
from tests.benchmark.sink import DATASET
from tests.benchmark.workloads import Workload
from tests.processes import ROOT

RIGHT_MEAN = 0.8
DRIVER_SECONDS = 1800
DELIVERY_SECONDS = 120
QUIET_SECONDS = 2


class DriverError(Exception):
    """A driver failed; the message has the end of its log."""


@dataclass(kw_only=True)
class Measurement:
    """The figures of one run.

    Attributes:
        seconds: What the caller waited; where evalrpc records to Langfuse, until that had the last record, and so for all
            in a hosted workload.
        cpu: CPU seconds per 1,000 items, by process: client, server, endpoint, langfuse.
        peak_mib: Largest resident memory, by process.
        tasks_from: Seconds from the caller's start to the first task's answer.
        tasks_to: The same to the last task's answer.
        first_result_ms: From the endpoint's first answer to the first result in the caller's hands.
        tenths: Task answers per second in each tenth of the run.
        foreign_cores: Cores kept busy by anything else on the machine meanwhile.
        problems: What is wrong with the results; empty when all is right.
    """

    workload: str
    runner: str
    round: int
    items: int
    seconds: float
    items_per_second: float
    mean: float | str | bool | None
    cpu: dict[str, float]
    peak_mib: dict[str, float]
    tasks_from: float
    tasks_to: float
    first_result_ms: float
    tenths: list[float]
    max_in_flight: int
    foreign_cores: float
    langfuse: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return asdict(self)


def run(runner: Runner, workload: Workload, number: int, endpoint: Service) -> Measurement:
    """Runs `workload` once through `runner` and checks what came of it.

    Raises:
        DriverError: The driver failed or printed no outcome.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evalrpc-benchmark-")))
        items = directory / "items.jsonl"
        workload.write(items)
        sink = stack.enter_context(_sink(runner, workload, items))
        server = stack.enter_context(runner.server(directory, sink.url if sink else ""))
        job = Job(
            items_file=str(items),
            concurrency=workload.concurrency,
            task_url=f"{endpoint.url}/task",
            langfuse_url=sink.url if sink else "",
            dataset=DATASET if workload.hosted else "",
            server=server.address if server else "",
        )
        endpoint.reset()
        with _Costs(endpoint, sink, server) as costs:
            outcome = _drive(runner, job, directory)
            if sink:
                _wait_until_quiet(sink)
        return _measured(runner, workload, number, outcome, costs, endpoint.stats(), sink, server)


@contextmanager
def _sink(runner: Runner, workload: Workload, items: Path) -> Iterator[Service | None]:
    if not runner.records_to_langfuse(hosted=workload.hosted):
        yield None
        return
    options = ["--latency-ms", str(workload.langfuse_latency_ms)]
    if workload.hosted:
        options += ["--items", str(items)]
    with started("tests.benchmark.sink", *options) as sink:
        yield sink


def _wait_until_quiet(sink: Service) -> None:
    """Returns when Langfuse got nothing for a while: a server may deliver after the caller has its results."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    seen, since = -1, time.monotonic()
    while time.monotonic() < min(deadline, since + QUIET_SECONDS):
        records = sink.last_record_ns()
        if records != seen:
            seen, since = records, time.monotonic()
        time.sleep(0.25)


class _Costs:
    """CPU of the processes while the block runs, and their peak memory at its end."""

    def __init__(self, endpoint: Service, sink: Service | None, server: Server | None) -> None:
        self._pids = {"endpoint": endpoint.pid}
        if sink:
            self._pids["langfuse"] = sink.pid
        if server:
            self._pids["server"] = server.pid
        self.cpu: dict[str, float] = {}
        self.peak: dict[str, float] = {}
        self.machine = 0.0
        self.seconds = 0.0
        self.children = 0.0

    def __enter__(self) -> Self:
        self.cpu = {name: -cpu_seconds(pid) for name, pid in self._pids.items()}
        self.machine = -machine_cpu_seconds()
        self.seconds = -time.monotonic()
        self.children = -_ended_children()
        return self

    def __exit__(self, *_: object) -> None:
        for name, pid in self._pids.items():
            self.cpu[name] += cpu_seconds(pid)
            self.peak[name] = peak_mib(pid)
        self.machine += machine_cpu_seconds()
        self.seconds += time.monotonic()
        self.children += _ended_children()


def _ended_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _drive(runner: Runner, job: Job, directory: Path) -> Outcome:
    path, log = directory / "job.json", directory / "driver.log"
    path.write_text(json.dumps(asdict(job)))
    with log.open("w") as errors:
        done = subprocess.run(
            [*runner.driver(), str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=DRIVER_SECONDS,
            check=False,
        )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise DriverError(f"{runner.name} ended with {done.returncode}:\n{log.read_text()[-4000:]}")
    return Outcome(**json.loads(lines[-1]))


def _measured(
    runner: Runner,
    workload: Workload,
    number: int,
    outcome: Outcome,
    costs: _Costs,
    seen: dict[str, Any],
    sink: Service | None,
    server: Server | None,
) -> Measurement:
    recorded = sink.stats() if sink else None
    ended_ns = outcome.ended_ns
    if recorded and (workload.hosted or server):
        ended_ns = max(ended_ns, recorded["last_record_ns"])
    seconds = (ended_ns - outcome.started_ns) / 1e9
    thousands = workload.items / 1000
    ours = sum(costs.cpu.values()) + costs.children
    return Measurement(
        workload=workload.name,
        runner=runner.name,
        round=number,
        items=workload.items,
        seconds=seconds,
        items_per_second=workload.items / seconds,
        mean=outcome.mean,
        cpu={
            "client": outcome.cpu_seconds / thousands,
            **{name: cpu / thousands for name, cpu in costs.cpu.items()},
        },
        peak_mib={"client": outcome.peak_mib, **costs.peak},
        tasks_from=(seen["first_answer_ns"] - outcome.started_ns) / 1e9,
        tasks_to=(seen["last_answer_ns"] - outcome.started_ns) / 1e9,
        first_result_ms=(outcome.first_result_ns - seen["first_answer_ns"]) / 1e6,
        tenths=seen["tenths"],
        max_in_flight=seen["max_in_flight"],
        foreign_cores=max(0.0, costs.machine - ours) / costs.seconds,
        langfuse=recorded,
        notes=outcome.notes,
        problems=list(_problems(runner, workload, outcome, seen, recorded)),
    )


def _problems(
    runner: Runner,
    workload: Workload,
    outcome: Outcome,
    seen: dict[str, Any],
    recorded: dict[str, Any] | None,
) -> Iterator[str]:
    if outcome.results != workload.items:
        yield f"{outcome.results} results for {workload.items} items"
    if not isinstance(outcome.mean, float) or abs(outcome.mean - RIGHT_MEAN) > 1e-9:
        yield f"mean {outcome.mean} instead of {RIGHT_MEAN}"
    if seen["distinct"] != workload.items:
        yield f"{seen['distinct']} of {workload.items} items reached the task"
    if seen["requests"] != workload.items:
        yield f"{seen['requests']} task calls for {workload.items} items"
    if recorded and recorded["distinct_scores"] < 2 * workload.items:
        yield f"{recorded['distinct_scores']} item scores recorded of {2 * workload.items}"
    if recorded and recorded["spans"] != runner.spans_per_item * workload.items:
        yield f"{recorded['spans']} spans recorded of {runner.spans_per_item * workload.items}"
