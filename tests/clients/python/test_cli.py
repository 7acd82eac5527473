"""The `evalrpc` command as a process, against a real server."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from evalrpc import Client, ExperimentState
from tests.clients.python.application import BOOM, Application
from tests.clients.python.wire import wire
from tests.processes import running
from tests.servers import Server

COMMAND = (sys.executable, "-m", "evalrpc")
Done = subprocess.CompletedProcess[str]
Evalrpc = Callable[..., Done]


@pytest.fixture
def evalrpc(server: Server) -> Evalrpc:
    """Runs the command against the server and returns what came of it."""

    def run(*arguments: object, **env: str) -> Done:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=os.environ | {"EVALRPC_ADDRESS": server.grpc} | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def spec(app: Application, tmp_path: Path) -> Path:
    """A spec's file."""
    return written(tmp_path / "spec.json", app.task)


def written(path: Path, task: str, **fields: Any) -> Path:
    """Writes a spec whose mean accuracy is 0.5 and of which one item fails."""
    items = [("Paris", "Paris"), ("Bonn", "Berlin"), (BOOM, "x")]
    spec = {
        "name": "Quiz",
        "items": {
            "items": [
                {"id": i.lower(), "input": {"value": i}, "expected_output": {"value": e}} for i, e in items
            ]
        },
        "task": {"http": {"url": task}},
        "evaluators": [{"name": "accuracy", "builtin": {"name": "exact_match"}}],
        "run_evaluators": [
            {"name": "avg_accuracy", "builtin": {"name": "mean", "params": {"evaluation": "accuracy"}}}
        ],
    }
    path.write_text(json.dumps(spec | fields))
    return path


def only_id(text: str) -> str:
    """Returns the experiment's id in a text."""
    match = re.search(r"exp_\w+", text)
    assert match, text
    return match[0]


def test_run_shows_progress_and_the_report(evalrpc: Evalrpc, spec: Path) -> None:
    done = evalrpc("run", spec, "--items")
    assert done.returncode == 0, done.stderr
    assert "1. Item 1:" in done.stdout
    assert "3 items, 1 failed" in done.stdout
    assert "• avg_accuracy: 0.500" in done.stdout
    first, *_, last = done.stderr.splitlines()
    assert re.fullmatch(r"exp_\w+ Quiz - \S+Z", first)
    assert re.match(r"3/3 items, 1 failed, [\d.,]+/s$", last)


def test_run_shows_a_bar_on_a_terminal(server: Server, spec: Path) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", closefd=True) as terminal:
        environment = os.environ | {"EVALRPC_ADDRESS": server.grpc, "COLUMNS": "120", "TERM": "xterm"}
        done = subprocess.Popen(
            [*COMMAND, "run", spec], env=environment, stdout=subprocess.DEVNULL, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        try:
            while block := terminal.read(1):
                shown += block
        except OSError:
            pass  # the other end is closed
        assert done.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"exp_\w+ Quiz", text)
    assert re.search(r"Quiz ━+ 3/3 items, 1 failed [\d.,]+/s \d+:\d\d:\d\d ETA", text)


def test_run_prints_json(evalrpc: Evalrpc, spec: Path) -> None:
    done = evalrpc("run", spec, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["experiment"]["state"] == "SUCCEEDED"
    paris, bonn, boom = result["item_results"]
    assert (paris["item"]["input"], paris["output"]) == ("Paris", "Paris")
    assert bonn["evaluations"][0]["value"] is False
    assert boom["error"]["reason"] == "TASK_HTTP_STATUS"


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("avg_accuracy < 0.5", 0),
        ("avg_accuracy <= 0.5", 1),
        ("accuracy>0.4", 1),
        ("failed > 0", 1),
        ("failed >= 2", 0),
        ("no such < 1", 1),
    ],
)
def test_a_missed_threshold_is_exit_code_1(evalrpc: Evalrpc, spec: Path, condition: str, code: int) -> None:
    done = evalrpc("run", spec, "--fail-if", condition, "--fail-if", "avg_accuracy < 0", "--quiet")
    assert done.returncode == code
    assert ("missed" in done.stderr) == bool(code)


def test_junit_holds_items_and_thresholds(evalrpc: Evalrpc, spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    done = evalrpc("run", spec, "--junit", path, "--fail-if", "accuracy < 0.9", "--fail-if", "failed > 1")
    assert done.returncode == 1
    suite = ET.parse(path).getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        "Quiz",
        "5",
        "1",
        "1",
    )
    cases = {case.get("name"): case for case in suite}
    assert set(cases) == {"paris", "bonn", BOOM, "not accuracy < 0.9", "not failed > 1"}
    assert [child.tag for child in cases["paris"]] == ["system-out"]
    failure, error = cases["not accuracy < 0.9"].find("failure"), cases[BOOM].find("error")
    assert failure is not None
    assert failure.get("message") == "accuracy < 0.9: accuracy is 0.5"
    for told in (str(failure.text), done.stderr):
        assert "Items that failed or scored low (2):\n  2. bonn\n     input:    Bonn\n" in told
        assert "1. paris" not in told
    assert error is not None
    assert error.get("type") == "TASK_HTTP_STATUS"


def test_flags_override_the_spec(evalrpc: Evalrpc, spec: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"input": number, "expected_output": number}) for number in (2**60 + 1, 2, 3)]
    data = tmp_path / "items.jsonl"
    data.write_text("\n".join(lines))
    done = evalrpc(
        "run", spec, "--data", data, "--name", "Other", "--run-name", "first", "--description", "d", "--max-concurrency",
        3, "--task-timeout", 5, "--repetitions", 2, "--dry-run-items", 1, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    echo = result["experiment"]["spec"]
    assert (echo["name"], echo["run_name"], echo["description"]) == ("Other", "first", "d")
    assert (echo["max_concurrency"], echo["task_timeout"], echo["repetitions"]) == (3, "5s", 2)
    assert [(each["item"]["input"], each["trial"]) for each in result["item_results"]] == [
        (2**60 + 1, 1),
        (2**60 + 1, 2),
    ]


def test_data_may_be_a_list_or_an_upload(
    evalrpc: Evalrpc, spec: Path, tmp_path: Path, server: Server
) -> None:
    data = tmp_path / "items.json"
    data.write_text(json.dumps([{"input": 1}, {"input": 2}]))
    assert "2 items, 0 failed" in evalrpc("run", spec, "--data", data).stdout
    with Client(server.grpc) as client:
        upload = client.upload([{"input": 1}])
    assert "1 item, 0 failed" in evalrpc("run", spec, "--upload", upload.id).stdout


def test_an_interrupt_detaches_and_tells_how_to_go_on(
    server: Server, app: Application, tmp_path: Path
) -> None:
    spec = written(tmp_path / "spec.json", app.gated)
    with running([*COMMAND, "run", spec, "--address", server.grpc]) as program:
        program.wait_for(r"exp_\w+ Quiz")
        program.signal(signal.SIGINT)
        assert program.wait() == 130
        match = program.wait_for(r"To follow it: evalrpc (watch exp_\w+ --address \S+)")
        assert "Traceback" not in program.output
    app.gate.set()
    with running([*COMMAND, *match[1].split()]) as program:
        program.wait_for("3 items, 1 failed")
        assert program.wait() == 0


def test_a_lost_connection_is_told_and_survived(server: Server, app: Application, tmp_path: Path) -> None:
    spec = written(tmp_path / "spec.json", app.gated)
    with (
        wire(server.grpc) as line,
        running([*COMMAND, "run", spec, "--address", line.address]) as program,
    ):
        experiment_id = program.wait_for(r"(exp_\w+) Quiz")[1]
        line.cut()
        program.wait_for(rf"^{experiment_id} broke off, trying again in \S+ s: ")
        app.gate.set()
        program.wait_for("3 items, 1 failed")
        assert program.wait() == 0
        assert not re.search(r"^[EWI]\d{4} ", program.output, re.MULTILINE), "gRPC's own lines are kept away"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_if_asked_to(
    server: Server, app: Application, tmp_path: Path, number: signal.Signals
) -> None:
    spec = written(tmp_path / "spec.json", app.gated)
    with running([*COMMAND, "run", spec, "--address", server.grpc, "--cancel-on-exit"]) as program:
        experiment_id = program.wait_for(r"(exp_\w+) Quiz")[1]
        program.signal(number)
        assert program.wait() == 130
        program.wait_for(f"cancelled {experiment_id}|{experiment_id} CANCELLED")
    with Client(server.grpc) as client:
        assert client.watch(experiment_id).result().state is ExperimentState.CANCELLED


def test_a_cancelled_run_is_exit_code_2(
    server: Server, app: Application, evalrpc: Evalrpc, tmp_path: Path
) -> None:
    spec = written(tmp_path / "spec.json", app.gated)
    with running([*COMMAND, "run", spec, "--address", server.grpc]) as program:
        experiment_id = program.wait_for(r"(exp_\w+) Quiz")[1]
        assert evalrpc("cancel", experiment_id).stdout.split()[0] == experiment_id
        program.wait_for("State: CANCELLED")
        assert program.wait() == 2


def test_experiments_are_listed_shown_and_watched(evalrpc: Evalrpc, spec: Path) -> None:
    experiment_id = evalrpc("run", spec, "--detach", "--name", "Listed").stdout.strip()
    watched = evalrpc("watch", experiment_id)
    assert watched.returncode == 0
    assert "3 items, 1 failed" in watched.stdout
    header, row = evalrpc("list", "--name", "Listed").stdout.splitlines()
    assert header.split() == ["ID", "STATE", "ITEMS", "FAILED", "CREATED", "NAME", "RUN"]
    assert row.split()[:4] == [experiment_id, "SUCCEEDED", "3/3", "1"]
    shown = json.loads(evalrpc("get", experiment_id).stdout)
    assert (shown["id"], shown["state"]) == (experiment_id, "SUCCEEDED")
    assert json.loads(evalrpc("list", "--json", "--limit", 1).stdout)["id"]
    assert evalrpc("list", "--name", "Listed", "--state", "failed").stdout.count("\n") == 1


def test_results_are_json_lines(evalrpc: Evalrpc, spec: Path) -> None:
    experiment_id = only_id(evalrpc("run", spec).stderr)
    lines = evalrpc("results", experiment_id).stdout.splitlines()
    assert [json.loads(line)["item"]["id"] for line in lines] == ["paris", "bonn", BOOM]
    (line,) = evalrpc("results", experiment_id, "--failed").stdout.splitlines()
    assert json.loads(line)["error"]["metadata"]["status"] == "404"


def test_a_reader_that_leaves_ends_the_command_quietly(
    server: Server, evalrpc: Evalrpc, spec: Path, tmp_path: Path
) -> None:
    data = tmp_path / "items.jsonl"
    data.write_text("\n".join(json.dumps({"input": f"{number} {'x' * 1000}"}) for number in range(300)))
    experiment_id = only_id(evalrpc("run", spec, "--data", data).stderr)
    program = subprocess.Popen(
        [*COMMAND, "results", experiment_id, "--address", server.grpc],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr is not None
    with program.stderr as errors:
        assert errors.read() == b""
    assert program.wait(60) == 2


def test_the_same_request_id_joins(evalrpc: Evalrpc, spec: Path) -> None:
    first = evalrpc("run", spec, "--request-id", f"joined {spec}")
    again = evalrpc("run", spec, "--request-id", f"joined {spec}")
    assert only_id(first.stderr) == only_id(again.stderr)
    other = evalrpc("run", spec, "--request-id", f"joined {spec}", "--name", "Other")
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"name": "x", "repetitions": 99999999999}', ["experiment: Failed to parse repetitions"]),
        ('{"name": "x", "nam": 1}', ["experiment.nam: is unknown"]),
        (
            '{"name": "", "task": {"http": {"url": "ftp://x"}}}',
            ["experiment.name: ", "experiment.task.http.url: "],
        ),
        ("{", ["spec.json: cannot be read: "]),
        ("[]", ["spec.json: must hold an object"]),
    ],
)
def test_a_wrong_spec_is_told_in_a_line_per_field(
    evalrpc: Evalrpc, tmp_path: Path, content: str, lines: list[str]
) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content)
    done = evalrpc("run", path)
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert all(line.startswith("evalrpc: ") for line in told)
    assert all(any(line in each for each in told) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "/no/such/file.json"], "evalrpc: /no/such/file.json: No such file or directory"),
        (["get", "exp_none"], "evalrpc: no experiment has the id"),
        (["get", "x", "--address", "127.0.0.1:1"], "evalrpc-server serve --listen 127.0.0.1:1"),
        (["get", "x", "--address", "http://127.0.0.1:1/path"], "evalrpc: address: must be host:port"),
        (["get", "x", "--cert", "/dev/null"], "evalrpc: tls: must have both"),
        (["get", "x", "--ca", "/no/such/ca.pem"], "evalrpc: /no/such/ca.pem: No such file or directory"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(evalrpc: Evalrpc, arguments: list[str], words: str) -> None:
    done = evalrpc(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["run"],
        ["run", "x", "--fail-if", "accuracy"],
        ["run", "x", "--fail-if", "accuracy < nan"],
        ["run", "x", "--max-concurrency", "0"],
        ["list", "--state", "done"],
    ],
)
def test_bad_usage_is_exit_code_2(evalrpc: Evalrpc, arguments: list[str]) -> None:
    done = evalrpc(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: evalrpc" in done.stderr


def test_the_installed_command_is_this_one() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("evalrpc"), "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("evalrpc ")
