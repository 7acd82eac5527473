"""Failpoints: armed by the environment alone, and acting at the pass that it names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from evalrpc_server.failpoints import EXIT_STATUS, VARIABLE

PASSES = """
from evalrpc_server import failpoints
for number in range(1, 101):
    print(number, flush=True)
    failpoints.reach("here")
    failpoints.reach("there")
"""


def run(setting: str) -> tuple[int, int]:
    """Returns the exit status of a process with that setting, and how many passes it made."""
    finished = subprocess.run(
        [sys.executable, "-c", PASSES],
        check=False,
        env=os.environ | {VARIABLE: setting},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "FailpointError" in finished.stderr:
        assert setting in finished.stderr
    return finished.returncode, len(finished.stdout.splitlines())


@pytest.mark.parametrize(
    ("setting", "status", "passes"),
    [
        ("", 0, 100),
        ("elsewhere=exit", 0, 100),
        ("here=exit", EXIT_STATUS, 1),
        ("here=kill@17", -signal.SIGKILL, 17),
        ("here=exit@101", 0, 100),
        ("there=kill@9; here=exit@5", EXIT_STATUS, 5),
        ("here=exit@1:0", EXIT_STATUS, 1),
        ("here=exit@0:0", 0, 100),
    ],
)
def test_a_failpoint_ends_the_process_at_its_turn(setting: str, status: int, passes: int):
    assert run(setting) == (status, passes)


def test_a_seed_decides_the_moment():
    first = run("here=exit@0.1:3")
    assert first[0] == EXIT_STATUS
    assert run("here=exit@0.1:3") == first
    assert run("here=exit@0.1:4") != first


@pytest.mark.parametrize("setting", ["here", "=exit", "here=stop", "here=exit@x", "here=exit@0.5:x"])
def test_a_malformed_setting_stops_the_process_at_its_start(setting: str):
    assert run(setting) == (1, 0)
