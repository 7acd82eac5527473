"""What the code imports is what the distributions ask for."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

SERVER = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())

RUNTIME = SERVER["project"]["dependencies"] + SERVER["project"]["optional-dependencies"]["postgres"]
CLIENT_RUNTIME = CLIENT["project"]["dependencies"] + CLIENT["project"]["optional-dependencies"]["otel"]
DEMO = CLIENT["project"]["dependencies"] + SERVER["project"]["optional-dependencies"]["demo"] + ["evalrpc"]
EVERYTHING = RUNTIME + DEMO + SERVER["dependency-groups"]["dev"]
OURS = {"evalrpc", "evalrpc_server", "tests"}
COMES_WITH = {
    "h2": "httpx",
    "httpcore": "httpx",
    "multidict": "aiohttp",
    "packaging": "pytest",
    "pydantic_core": "pydantic",
    "yarl": "aiohttp",
}
PEERS = {"langfuse"}  # run by the benchmark and the stand-ins in environments of their own


def imported(folder: Path) -> set[str]:
    """The top-level modules, neither the standard library's nor our own, that the code in `folder` imports."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    beside = {path.stem for path in folder.rglob("*.py")}
    return found - set(sys.stdlib_module_names) - OURS - PEERS - beside


@pytest.mark.parametrize(
    ("folder", "requirements"),
    [
        ("server/evalrpc_server", RUNTIME),
        ("clients/python/src/evalrpc", CLIENT_RUNTIME),
        ("clients/python/examples/capitals", DEMO),
        ("tests", EVERYTHING),
    ],
)
def test_every_imported_package_is_asked_for_by_name(folder, requirements):
    declared = {canonicalize_name(Requirement(text).name) for text in requirements}
    distributions = packages_distributions()
    missing = []
    for module in sorted(imported(ROOT / folder)):
        candidates = {canonicalize_name(name) for name in distributions.get(module, [])}
        candidates.add(canonicalize_name(COMES_WITH.get(module, module)))
        if not candidates & declared:
            missing.append(module)
    assert missing == []
