"""The client runs on the oldest versions that it asks for, against a server on today's."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.processes import ROOT, running

BIN = Path(sys.executable).parent
SCRIPT = """
import sys
import grpc, google.protobuf
from evalrpc import Client, builtin
with Client(sys.argv[1]) as client:
    result = client.run(
        name="floors",
        data=[{"input": "What is the capital of France?", "expected_output": "Paris"}],
        task=sys.argv[2],
        evaluators=[builtin("exact_match")],
    ).result()
print(grpc.__version__, google.protobuf.__version__, result.item_results[0].evaluations[0].value)
"""


def floor(name: str) -> str:
    """The oldest version of a package that the client asks for."""
    project = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    requirements = [Requirement(text) for text in project["dependencies"]]
    (specifier,) = next(requirement.specifier for requirement in requirements if requirement.name == name)
    assert specifier.operator == ">="
    return specifier.version


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    """A Python with the client and the oldest versions of what it depends on directly."""
    python = tmp_path / "venv/bin/python"
    source = tmp_path / "client"
    shutil.copytree(
        ROOT / "clients/python", source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__")
    )
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(python.parents[1])],
        ["pip", "install", "--quiet", "--python", str(python), "--resolution", "lowest-direct", str(source)],
    ):
        done = subprocess.run([BIN / "uv", *command], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return python


def test_the_client_runs_an_experiment_on_the_oldest_versions_that_it_asks_for(oldest, tmp_path):
    settings = {
        "EVALRPC_LISTEN": "127.0.0.1:0",
        "EVALRPC_HTTP_LISTEN": "",
        "EVALRPC_DATA_DIR": str(tmp_path / "data"),
    }
    app = ROOT / "clients/python/examples/capitals/app.py"
    with (
        running([BIN / "evalrpc-server", "serve"], env=settings) as server,
        running([sys.executable, app, "--port", "0"]) as application,
    ):
        address = server.wait_for(r"\b127\.0\.0\.1:\d+")[0]
        url = application.wait_for(r"http://\S+")[0]
        done = subprocess.run(
            [oldest, "-c", SCRIPT, address, f"{url}/task"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [floor("grpcio"), floor("protobuf"), "True"]
    holds_what_is_published(oldest)


def holds_what_is_published(python: Path) -> None:
    """Checks what the wheel installed: the command, the pytest plugin, the files beside the code, and no tests."""
    program = (
        "from importlib.metadata import distribution as d; e = d('evalrpc');"
        "print(*(str(p) for p in e.files if '__pycache__' not in str(p)), *(f'{p.group}:{p.value}' for p in e.entry_points))"
    )
    listed = subprocess.run(
        [python, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"evalrpc/py.typed", "evalrpc/service_config.json", "evalrpc/v1/item_pb2.pyi"} <= set(listed)
    assert {"pytest11:pytest_evalrpc", "console_scripts:evalrpc.cli:main"} <= set(listed)
    assert not [each for each in listed if each.startswith(("tests", "examples"))]
    assert [each for each in listed if each.endswith("/licenses/LICENSE")]
    command = subprocess.run(
        [python.with_name("evalrpc"), "--version"], check=True, capture_output=True, text=True
    )
    assert command.stdout.startswith("evalrpc ")
