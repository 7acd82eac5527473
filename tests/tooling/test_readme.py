"""The README's examples, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalrpc_server.config import Settings
from tests.documentation.blocks import blocks_of, blocks_removed
from tests.documentation.projects import go_project, run, typescript_project
from tests.processes import ROOT, running

README = (ROOT / "README.md").read_text()
SERVER = Path(sys.executable).with_name("evalrpc-server")
APP = ROOT / "clients/python/examples/capitals/app.py"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server and the demo's application; maps the README's addresses to theirs."""
    settings = {
        "EVALRPC_LISTEN": "127.0.0.1:0",
        "EVALRPC_HTTP_LISTEN": "127.0.0.1:0",
        "EVALRPC_DATA_DIR": str(tmp_path_factory.mktemp("data")),
    }
    with (
        running([SERVER, "serve"], env=settings) as server,
        running([sys.executable, APP, "--port", "0"]) as app,
    ):
        yield {
            "localhost:50051": server.wait_for(r"\b127\.0\.0\.1:\d+")[0],
            "127.0.0.1:9000": app.wait_for(r"\b127\.0\.0\.1:\d+")[0],
        }


def documents(text: str) -> list[Any]:
    """The JSON documents that stand one after the other in `text`."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while (position := len(text) - len(text[position:].lstrip())) < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append(document)
    return found


def run_grpcurl(command: str, addresses: dict[str, str]) -> list[Any]:
    """Runs a command of the documents against our own ports; returns the events that it prints."""
    for written, actual in addresses.items():
        assert written in command
        command = command.replace(written, actual)
    done = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"PATH": f"{os.environ['PATH']}:{ROOT / '.tools/bin'}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [document["event"] for document in documents(done.stdout)]


def block(language: str, start: str = "") -> str:
    """The README's first block of a language, or the first that starts so."""
    blocks = blocks_of(ROOT / "README.md")
    return next(each.code for each in blocks if each.language == language and each.code.startswith(start))


def here(text: str, addresses: dict[str, str]) -> str:
    """Puts this test's address in the place of the README's."""
    assert "localhost:50051" in text
    return text.replace("localhost:50051", addresses["localhost:50051"])


def assert_the_report(printed: str, documented: str) -> None:
    """Compares reports, apart from what is another one in each run."""
    for pattern in (r"\b[0-9a-f]{32}\b", r"\d{4}-\d\d-\d\dT[\d:.]+Z"):
        printed, documented = (re.sub(pattern, "...", text) for text in (printed, documented))
    assert printed.strip() == documented.strip()


def test_the_python_example_prints_what_stands_below_it(addresses):
    done = run([sys.executable, "-c", here(block("python"), addresses)], ROOT)
    assert_the_report(done, block("text"))


@pytest.mark.timeout(400)  # what is missing is installed first
def test_the_typescript_example_prints_the_same_through_the_packed_client(addresses, tmp_path):
    project = typescript_project(tmp_path)
    (project / "quiz.ts").write_text(here(block("ts"), addresses), "utf-8")
    run(["node", "node_modules/typescript/bin/tsc"], project)
    printed = run(["node", "--import", "tsx", "quiz.ts"], project)
    # TypeScript spells values as JSON.
    assert_the_report(printed, block("text").replace("True", "true").replace("False", "false"))


@pytest.mark.timeout(400)  # what is missing is installed first
def test_the_go_example_prints_the_same_in_a_module_of_its_own(addresses, tmp_path):
    project = go_project(tmp_path)
    (project / "main.go").write_text(here(block("go"), addresses), "utf-8")
    env = os.environ | {"GOFLAGS": "-mod=mod"}
    run(["go", "vet", "."], project, env)
    assert_the_report(run(["go", "run", "."], project, env), block("text"))


def test_the_grpcurl_example_works_as_written(addresses):
    events = run_grpcurl(block("sh", "grpcurl"), addresses)
    assert events[0]["experiment"]["state"] == "EXPERIMENT_STATE_PENDING"
    assert events[-1]["experiment"]["state"] == "EXPERIMENT_STATE_SUCCEEDED"
    outputs = {event["itemResult"]["output"]["value"] for event in events if "itemResult" in event}
    assert outputs == {"Paris", "Berlin"}
    (verdict,) = events[-1]["experiment"]["runEvaluations"]
    assert (verdict["name"], verdict["number"]) == ("avg_accuracy", 1)


def test_the_line_that_the_demo_ends_with_works_as_printed(addresses):
    printed = subprocess.run(
        [sys.executable, "-c", "import run; print(run.BY_HAND)"],
        cwd=APP.parent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (line,) = (line for line in printed.splitlines() if line.lstrip().startswith("grpcurl"))
    results = [event["itemResult"] for event in run_grpcurl(line, addresses) if "itemResult" in event]
    assert [result["evaluations"][0]["boolean"] for result in results] == [True]


def test_every_setting_has_its_row_in_the_table():
    shown = re.findall(r"^\| `--([a-z-]+)` \| `(\w+)` \| `?(.*?)`? \| (.*) \|$", README, re.MULTILINE)
    expected = []
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        text = str(default).lower() if isinstance(default, bool) else str(default or "")
        expected.append((name.replace("_", "-"), f"EVALRPC_{name.upper()}", text, field.description))
    assert shown == expected


def test_the_commands_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert targets >= {"demo", "test"}
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_the_files_that_the_documents_link_to_exist():
    folders = (ROOT, *(ROOT / "clients").iterdir(), ROOT / "server/docs")
    for document in (path for folder in folders for path in folder.glob("*.md")):
        links = re.findall(r"\]\((?!https?:)([^)#]+)", blocks_removed(document.read_text("utf-8")))
        assert [link for link in links if not (document.parent / link).exists()] == [], document
