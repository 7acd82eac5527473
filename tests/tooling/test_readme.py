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
from tests.processes import ROOT, running

README = (ROOT / "README.md").read_text()
SERVER = Path(sys.executable).with_name("evalrpc-server")
APP = ROOT / "clients/python/examples/capitals/app.py"


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A fresh server and the demo's application; maps the README's addresses to theirs."""
    settings = {
        "EVALRPC_LISTEN": "127.0.0.1:0",
        "EVALRPC_HTTP_LISTEN": "127.0.0.1:0",
        "EVALRPC_DATA_DIR": str(tmp_path / "data"),
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


def test_the_grpcurl_example_works_as_written(addresses):
    example = re.search(r"^```sh\n(grpcurl .*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert example is not None
    events = run_grpcurl(example[1], addresses)
    assert events[0]["experiment"]["state"] == "EXPERIMENT_STATE_PENDING"
    assert events[-1]["experiment"]["state"] == "EXPERIMENT_STATE_SUCCEEDED"
    outputs = {event["itemResult"]["output"]["value"] for event in events if "itemResult" in event}
    assert outputs == {"Paris", "Berlin"}


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
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
        assert [link for link in links if not (document.parent / link).exists()] == []
