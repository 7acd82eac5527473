from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.benchmark.endpoint import rates
from tests.benchmark.report import print_report
from tests.benchmark.services import started
from tests.benchmark.workloads import WORKLOADS, Workload
from tests.processes import ROOT


def test_a_quick_run_measures_checks_and_writes_a_file(tmp_path):
    output = tmp_path / "bench.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.benchmark",
            "--quick",
            "--only",
            "W1,W2",
            "--runners",
            "bare",
            "--output",
            str(output),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| bare " in done.stdout
    document = json.loads(output.read_text())
    first, second = document["runs"]
    assert (first["workload"], first["runner"], first["items"]) == ("W1", "bare", 200)
    assert first["mean"] == pytest.approx(0.8)
    assert first["problems"] == []
    assert second["max_in_flight"] == 50
    assert second["seconds"] > 0.2
    assert {"client", "endpoint"} <= set(first["cpu"])


def test_an_unknown_name_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmark", "--only", "W9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "'W9'" in done.stderr


def test_lost_items_are_reported(tmp_path, capsys):
    from tests.benchmark.harness import run
    from tests.benchmark.runners.bare import Bare

    class Forgetful(Bare):
        name = "forgetful"

        def driver(self) -> list[str]:
            outcome = {"started_ns": 1, "first_result_ns": 2, "ended_ns": 10**9, "results": 90, "mean": 0.802}
            return [sys.executable, "-c", f"print({json.dumps(json.dumps(outcome))})"]

    workload = Workload("W1", items=100, concurrency=1, runners=("forgetful",))
    with started("tests.benchmark.endpoint") as endpoint:
        measurement = run(Forgetful(), workload, 0, endpoint)
    assert measurement.problems == [
        "90 results for 100 items",
        "mean 0.802 instead of 0.8",
        "0 of 100 items reached the task",
        "0 task calls for 100 items",
    ]
    print_report([workload], [measurement])
    assert "WRONG: W1 forgetful round 1: 90 results for 100 items" in capsys.readouterr().out


def test_the_draw_of_latencies_is_the_same_each_time_and_as_announced():
    [workload] = [workload for workload in WORKLOADS if workload.latency_p99_ms]
    latencies = sorted(replace(workload, items=100_000).latencies())
    assert workload.latencies() == workload.latencies()
    assert latencies[50_000] == pytest.approx(100, rel=0.02)
    assert latencies[99_000] == pytest.approx(2000, rel=0.05)


def test_rates_are_per_share_of_the_events():
    seconds = [0.0, 0.1, 0.2, 0.3, 0.4, 1.4, 2.4, 3.4, 4.4, 5.4]
    assert rates([int(second * 1e9) for second in seconds], 2) == [
        pytest.approx(3.6, abs=0.1),
        pytest.approx(1.2, abs=0.1),
    ]
    assert rates([1, 2, 3], 10) == []
