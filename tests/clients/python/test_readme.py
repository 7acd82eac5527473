"""The README's snippets, run as they stand against a real server; only the addresses are this test's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.python.application import Application
from tests.processes import ROOT
from tests.servers import Server, serving
from tests.standins.langfuse.remote import launched

README = ROOT / "clients" / "python" / "README.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match["language"], match["code"]) for match in BLOCK.finditer(README.read_text("utf-8"))]
PYTHON = [code for language, code in BLOCKS if language == "python"]
FILES = {code.splitlines()[0].removeprefix("# "): code for language, code in BLOCKS if language == "yaml"}
COMMANDS = [
    line
    for language, code in BLOCKS
    if language == "sh"
    for line in code.splitlines()
    if line.startswith("evalrpc ")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that reads from a Langfuse with a dataset."""
    with launched() as langfuse:
        langfuse.load("capitals", [{"id": "fr", "input": "France", "expectedOutput": "Paris"}])
        with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as made:
            yield made


@pytest.fixture
def at_home(app: Application, server: Server, tmp_path: Path) -> Path:
    """A directory with the README's files."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(here(content, app, server))
    return tmp_path


def here(text: str, app: Application, server: Server) -> str:
    """Puts this test's addresses in the place of the README's."""
    return text.replace("http://127.0.0.1:9000", app.origin).replace("localhost:50051", server.grpc)


def run(command: list[str], directory: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a directory."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PATH": path, "PYTHONWARNINGS": "error"} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_snippet_runs(
    number: int, app: Application, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    snippet = compile(here(PYTHON[number], app, server), f"snippet {number}", "exec")
    exec(snippet, {"__name__": "__main__"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(command: str, at_home: Path, server: Server) -> None:
    done = run(["bash", "-euo", "pipefail", "-c", command], at_home, EVALRPC_ADDRESS=server.grpc)
    assert done.returncode == 0, done.stderr


def test_there_is_something_to_run() -> None:
    assert len(PYTHON) >= 8
    assert len(COMMANDS) >= 4
    assert list(FILES) == ["quiz.yaml"]
