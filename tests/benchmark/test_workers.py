from __future__ import annotations

import subprocess
import sys

from tests.processes import ROOT


def test_a_quick_run_prints_what_workers_do_and_what_idle_ones_cost():
    flags = ["--rounds", "1", "--tasks", "300", "--idle", "20", "--language", "python"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmark.workers", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for row in ("bare grpc.aio echo", "Python worker", "plain function", "20 idle workers"):
        assert row in done.stdout
