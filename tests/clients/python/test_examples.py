"""The client's examples, run as they stand against a real server beside a stand-in of Langfuse."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalrpc import Client, WorkerTask, worker_evaluator
from tests.processes import ROOT, running
from tests.servers import Server, serving
from tests.standins.langfuse.remote import launched

EXAMPLES = ROOT / "clients/python/examples"
CAPITALS = [
    {"id": "fr", "input": "France", "expectedOutput": "Paris", "metadata": {"continent": "Europe"}},
    {"id": "de", "input": "Germany", "expectedOutput": "Berlin", "metadata": {"continent": "Europe"}},
]
PRINTED = {
    "quickstart": [r"Expected: Paris\n   Actual:   It is Paris\.", r"• accuracy: 100\.0% \(2 of 2 true\)"],
    "endpoint": ["trial 1: PARIS, True, 3 tokens", "trial 2: PARIS, True, 3 tokens"],
    "evaluators": [
        r"• right: 100\.0% \(1 of 1 true\)",
        r"• tone: loud 1",
        r"• broken: 2 errors",
        r"• overlap: 0\.500",
        r"• passed: 50\.0% \(1 of 2 true\)",
        r"Failures:\n  • TASK_FAILED: 1 \(AttributeError: ",
        r"• answered: 2\.000\n    💭 2 of 3",
    ],
    "registered": [
        r"contains \['.*ignore_case",
        r"capital_named@1 1",
        r"'capital_named@1', True\), \('pinned', ",
    ],
    "events": ["PENDING\nRUNNING", "0 -> 0 1\n1 -> 1 2\n2 -> 4 3", "SUCCEEDED\n3 results"],
    "resume": [r"^True SUCCEEDED\n\[2, 4\]\n\['Overnight'\]\nSUCCEEDED$"],
    "asynchronous": [r"^20 SUCCEEDED$"],
    "upload": [r"^10000 items\n\[1, 2\]$"],
    "documents": [
        r"^9007199254740993 9007199254740993 None$",
        r"^\{\"price\": 1\.10\} \{'price': 1\.1\} null$",
        r"^\"Zürich 😀\" Zürich 😀 None$",
    ],
    "dataset": [
        r"^\['France', 'Germany'\]$",
        r"'France': True",
        r"'Germany': False",
        r"^recorded\n1\nTrue ACCEPTED\nTrue ACCEPTED$",
    ],
    "errors": [
        r"'experiment\.name'.*'experiment\.task\.http\.url'",
        r"EXPERIMENT_NOT_FOUND \{'experiment_id': 'exp_none'\}",
        r"^fine True None\nNone False TASK_FAILED: ValueError: no such country$",
        r"^ServerUnreachableError UNAVAILABLE$",
    ],
}
OWN_TESTS = {"worker", "test_accuracy"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with launched() as langfuse:
        langfuse.load("capitals", CAPITALS)
        with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as made:
            yield made


def test_each_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == PRINTED.keys() | OWN_TESTS


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_says(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("EVALRPC_ADDRESS", server.grpc)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    for pattern in PRINTED[name]:
        assert re.search(pattern, printed, re.MULTILINE), (pattern, printed)


def test_the_worker_serves_until_it_is_told_to_end(server: Server):
    command = [sys.executable, str(EXAMPLES / "worker.py")]
    with running(command, env={"EVALRPC_ADDRESS": server.grpc}) as worker, Client(server.grpc) as client:
        worker.wait_for("connected")
        result = client.run_experiment(
            name="Hosted",
            data=[{"input": "hello"}],
            task=WorkerTask(function="shout"),
            evaluators=[worker_evaluator("loud")],
        )
        assert result.item_results[0].output == "HELLO"
        assert result.item_results[0].evaluations[0].value is True
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert "gone after 2" in worker.output


def run_pytest(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    return subprocess.run(
        command,
        cwd=EXAMPLES,
        env=os.environ | {"EVALRPC_ADDRESS": server.grpc},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_experiments_are_tests_with_pytest(server: Server, tmp_path: Path):
    failing = tmp_path / "test_failing.py"
    source = (EXAMPLES / "test_accuracy.py").read_text("utf-8")
    failing.write_text(
        source.replace('"Germany": "Berlin"}', '"Germany": "Bonn"}'),  # so that it does not pass
        "utf-8",
    )
    done = run_pytest(server, "-c", os.devnull, EXAMPLES / "test_accuracy.py", failing)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 3 passed" in done.stdout
    for line in (
        "✗ avg_accuracy >= 0.8: avg_accuracy is 0.5",
        "Items that failed or scored low (1):",
        "2. de",
        "input:    Germany",
        "expected: Berlin",
        "output:   Bonn",
        "accuracy: False",
        "Experiment: Capitals",
    ):
        assert line in done.stdout
    assert "1. fr" not in done.stdout
