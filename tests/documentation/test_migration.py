"""Both sides of each example of the migration guide, run as they stand there, and compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.documentation.blocks import Block, blocks_of
from tests.documentation.projects import go_project, run, typescript_project
from tests.processes import ROOT
from tests.servers import serving
from tests.standins.clients import environments
from tests.standins.langfuse.remote import RemoteStandIn, launched

HERE = Path(__file__).parent
BLOCKS = blocks_of(ROOT / "server/docs/migration.md")
PYTHON = [block for block in BLOCKS if block.language == "diff" and block.section == "Python"]
JAVASCRIPT = [block for block in BLOCKS if block.language == "diff" and block.section != "Python"]
(VITEST,) = (block for block in JAVASCRIPT if block.heading == "Tests")
JAVASCRIPT.remove(VITEST)
CAPITALS = [
    {"id": "fr", "input": "France", "expectedOutput": "Paris"},
    {"id": "de", "input": "Germany", "expectedOutput": "Berlin"},
]


@pytest.fixture(scope="module")
def langfuse() -> Iterator[RemoteStandIn]:
    with launched("--mode", "dual") as made:
        made.load("capitals", CAPITALS)
        yield made


@pytest.fixture(scope="module")
def env(langfuse: RemoteStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What both sides are told: where Langfuse is, and a server that records there."""
    with serving(tmp_path_factory.mktemp("data"), env=langfuse.environment) as server:
        yield os.environ | langfuse.environment | {"EVALRPC_ADDRESS": server.grpc}


def python(interpreter: list[str], programs: list[str], env: dict[str, str]) -> list[str]:
    """Runs programs in one process; returns what each printed."""
    done = subprocess.run(
        [*interpreter, str(HERE / "run_python.py")],
        input=json.dumps(programs),
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: list[str] = json.loads(done.stdout)
    return printed


def javascript(directory: Path, programs: list[str], env: dict[str, str]) -> list[str]:
    """Runs modules in one process, beside the packages of a directory; returns what each printed."""
    shutil.copy(HERE / "run_javascript.mjs", directory)
    names = [f"./example_{number}.mjs" for number in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        (directory / name).write_text(program, "utf-8")
    printed: list[str] = json.loads(run(["node", "run_javascript.mjs", *names], directory, env))
    return printed


def compared(block: Block, before: str, after: str) -> tuple[Any, Any]:
    """What must be equal: what is printed, or of reports what is the same in every run."""
    if "format()" not in block.code:
        return before.strip(), after.strip()
    pattern = r"Experiment: .*|Run name: [^-]*|Hidden.*"
    return re.findall(pattern, before), re.findall(pattern, after)


@pytest.mark.timeout(400)  # the SDK is installed first where it is not
def test_python_prints_the_same_on_both_sides(env: dict[str, str], langfuse: RemoteStandIn):
    before = python(environments.python("5.0.4"), [block.before for block in PYTHON], env)
    after = python([sys.executable], [block.after for block in PYTHON], env)
    for block, old, new in zip(PYTHON, before, after, strict=True):
        expected, found = compared(block, old, new)
        assert expected, block.heading
        assert found == expected, block.heading


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with both sides' packages."""
    made = typescript_project(tmp_path_factory.mktemp("javascript"))
    installed = Path(environments.javascript("experiment.mjs")[1]).parent / "node_modules"
    for scope in ("@langfuse", "@opentelemetry"):
        (made / "node_modules" / scope).symlink_to(installed / scope)
    return made


@pytest.mark.timeout(400)
def test_javascript_prints_the_same_on_both_sides(env: dict[str, str], project: Path):
    before = javascript(project, [block.before for block in JAVASCRIPT], env)
    after = javascript(project, [block.after for block in JAVASCRIPT], env)
    for block, one, other in zip(JAVASCRIPT, before, after, strict=True):
        expected, found = compared(block, one, other)
        assert expected, block.heading
        assert found == expected, block.heading


@pytest.mark.timeout(400)
def test_vitest_passes_on_both_sides_and_names_the_items_to_blame(env: dict[str, str], project: Path):
    failing = VITEST.after.replace("task: async () => 'Paris'", "task: async () => 'Rome'")
    assert failing != VITEST.after
    for name, program in {"before": VITEST.before, "after": VITEST.after, "failing": failing}.items():
        (project / f"{name}.test.mjs").write_text(program, "utf-8")
    done = subprocess.run(
        ["node", "node_modules/vitest/vitest.mjs", "run", "--testTimeout", "60000"],
        cwd=project,
        env=env | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert re.search(r"Tests +1 failed \| 2 passed", done.stdout), done.stdout
    for told in ("avg_accuracy >= 0.8: avg_accuracy is 0", "input:    France", "output:   Rome"):
        assert told in done.stdout + done.stderr


@pytest.mark.timeout(400)
def test_the_go_program_runs_in_a_module_of_its_own(env: dict[str, str], tmp_path: Path):
    (program,) = (block.code for block in BLOCKS if block.language == "go")
    (go_project(tmp_path) / "main.go").write_text(program, "utf-8")
    printed = run(["go", "run", "."], tmp_path, env | {"GOFLAGS": "-mod=mod"})
    assert printed == "[Bonn Paris] 0.5\n"


def test_langfuse_takes_what_both_sides_write(langfuse: RemoteStandIn):
    refused = [
        each for each in langfuse.stats()["statuses"] if re.search(r" (400|401|409|422|429|5\d\d)$", each)
    ]
    assert refused == []


def test_the_examples_are_all_there():
    assert len(PYTHON) >= 11
    assert len(JAVASCRIPT) >= 9
    for block in (*PYTHON, *JAVASCRIPT):
        assert "langfuse" in block.before.lower()
        assert "evalrpc" in block.after
        assert "@langfuse" not in block.after
        assert "from langfuse" not in block.after
