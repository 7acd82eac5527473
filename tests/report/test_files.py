"""The commands that write a run to a file, and the page that follows it, at a real server."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from evalrpc import Client, builtin
from evalrpc.cli.exporting import MissingPackageError, write_parquet
from evalrpc.report import live_page
from tests.clients.python.application import BOOM, Application, application
from tests.report.runs import HOSTILE, an_experiment
from tests.report.test_page import Parts
from tests.servers import Server, serving

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ITEMS: list[dict[str, Any]] = [
    {"id": "right", "input": 'a, "b"\nc', "expected_output": 'a, "b"\nc', "metadata": {"topic": "x"}},
    {"id": "wrong", "input": {"n": 1}, "expected_output": {"n": 2}},
    {"id": "failed", "input": BOOM},
    {"id": HOSTILE, "input": HOSTILE, "expected_output": HOSTILE},
]


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    with application() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.grpc) as made:
        yield made


@pytest.fixture(scope="module")
def run(client: Client, app: Application) -> str:
    """The id of a run."""
    accuracy = builtin("exact_match", name="accuracy")
    result = client.run_experiment(name="Files", data=ITEMS, task=app.task, evaluators=[accuracy])
    return result.experiment_id


def command(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "evalrpc", *arguments, "--address", server.grpc],
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_report_of_a_run_beside_its_baseline(
    server: Server, client: Client, app: Application, run: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    done = command(server, "report", run, "--compare", run, "--output", path)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    parts = Parts(path.read_text("utf-8"))
    head = parts.json("run-head")
    assert head["experiment"]["id"] == head["baseline"]["id"] == run
    assert head["experiment"]["summaries"][0]["n"] == 3
    assert head["comparison"]["evaluations"][0]["name"] == "accuracy"
    assert [row[0] for row in parts.json("run-rows")] == [item["id"] for item in ITEMS]
    assert parts.json("run-rows") == parts.json("baseline-rows")


def test_a_report_that_fails_leaves_what_was_there(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    done = command(server, "report", "exp_none", "--output", path)
    assert done.returncode == 2
    assert b"exp_none" in done.stderr
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("report.html", "before")]


def test_results_as_json_lines(server: Server, run: str) -> None:
    done = command(server, "export", run)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["item"]["id"] for line in lines] == [item["id"] for item in ITEMS]
    assert lines[1]["output"] == {"n": 1}
    assert lines[2]["error"]["reason"] == "TASK_HTTP_STATUS"


def test_csv_and_parquet_have_the_same_columns(server: Server, run: str, tmp_path: Path) -> None:
    paths = {form: tmp_path / f"results.{form}" for form in ("csv", "parquet")}
    for form, path in paths.items():
        done = command(server, "export", run, "--format", form, "--output", path)
        assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table(paths["parquet"])
    stored: list[dict[str, Any]] = table.to_pylist()
    with io.StringIO(paths["csv"].read_bytes().decode(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == table.column_names
    for row, other in zip(rows, stored, strict=True):
        for name in ("item_id", "input", "expected_output", "output", "error_reason", "metadata"):
            assert row[name] == (other[name] or "")
    assert [other["score.accuracy"] for other in stored] == [1.0, 0.0, None, 1.0]
    assert [row["score.accuracy"] for row in rows] == ["1.0", "0.0", "", "1.0"]
    assert stored[0]["input"] == ITEMS[0]["input"]
    assert stored[1]["input"] == '{"n":1}'
    assert stored[0]["start_time"].tzinfo is not None


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'evalrpc\[parquet\]'"):
        write_parquet(io.BytesIO(), an_experiment(0), [])


def test_a_browser_gets_the_page_and_the_page_the_run(server: Server, run: str) -> None:
    with httpx.Client(base_url=f"http://{server.http}", timeout=60) as http:
        page = http.get(f"/runs/{run}", headers=BROWSER)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.content == live_page()
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "connect-src 'self'" in policy
        assert http.get(f"/runs/{run}").json()["id"] == run

        update = http.get(f"/runs/{run}/report", params={"after": ""}).json()
        assert update["experiment"]["state"] == "SUCCEEDED"
        assert update["more"] is False
        assert {row[0] for row in update["rows"]} == {item["id"] for item in ITEMS}
        last = http.get(f"/runs/{run}/report", params={"after": update["cursor"]}).json()
        assert (last["rows"], last["more"], last["cursor"]) == ([], False, update["cursor"])

        assert http.get(f"/runs/{run}/report", params={"after": "x"}).status_code == 400
        assert http.get("/runs/exp_none/report").status_code == 404


def test_the_page_is_told_of_results_while_the_run_goes_on(
    server: Server, client: Client, app: Application
) -> None:
    app.gate.clear()
    data = [{"id": "first", "input": "now"}, {"id": "second", "input": "later"}]
    started = client.start(name="Live", data=data, task=app.gated)
    with httpx.Client(base_url=f"http://{server.http}/runs/{started.id}", timeout=60) as http:
        cursor, seen, state = "", list[str](), ""

        def ask() -> None:
            nonlocal cursor, state
            update = http.get("/report", params={"after": cursor}).json()
            cursor, state = update["cursor"], update["experiment"]["state"]
            seen.extend(row[0] for row in update["rows"])

        events = iter(client.watch(started.id))
        try:
            while seen != ["first"]:
                next(events)
                ask()
            assert state == "RUNNING"
        finally:
            app.gate.set()
        for _ in events:
            ask()
        ask()
        assert (seen, state) == (["first", "second"], "SUCCEEDED")
