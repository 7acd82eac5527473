"""The lock files: complete, hashed, and free of any registry's address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

LOCKS = [ROOT / "requirements.lock", ROOT / "server/requirements.lock", ROOT / "server/build.lock"]
SERVER = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())


def locked(path: Path) -> dict[str, tuple[str, str]]:
    """Each locked package's version and the text that follows it, hashes included."""
    parts = re.split(r"^([a-z0-9][a-z0-9.-]*)==", path.read_text(), flags=re.MULTILINE)[1:]
    return {
        canonicalize_name(name): (rest.split()[0], rest)
        for name, rest in zip(parts[::2], parts[1::2], strict=True)
    }


def requirements(*lists: list[str]) -> list[Requirement]:
    found = [Requirement(text) for texts in lists for text in texts]
    return [requirement for requirement in found if requirement.name != "evalrpc"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_has_a_version_and_hashes_and_no_address(path):
    assert locked(path)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", rest) for _, rest in locked(path).values())
    assert "://" not in path.read_text()
    options = [line for line in path.read_text().splitlines() if re.match(r"\s*-(?!-hash=)", line)]
    assert options == []


def test_the_lock_satisfies_everything_that_both_distributions_ask_for():
    lock = locked(ROOT / "requirements.lock")
    wanted = requirements(
        SERVER["project"]["dependencies"],
        *SERVER["project"]["optional-dependencies"].values(),
        SERVER["dependency-groups"]["dev"],
        SERVER["build-system"]["requires"],
        CLIENT["project"]["dependencies"],
        *CLIENT["project"].get("optional-dependencies", {}).values(),
    )
    missing = [
        str(requirement)
        for requirement in wanted
        if not requirement.specifier.contains(lock.get(canonicalize_name(requirement.name), ("0", ""))[0])
    ]
    assert missing == []


def test_the_image_gets_the_same_versions_and_no_development_tools():
    everything = locked(ROOT / "requirements.lock")
    runtime = locked(ROOT / "server/requirements.lock") | locked(ROOT / "server/build.lock")
    assert {name: version for name, (version, _) in runtime.items()}.items() <= {
        name: version for name, (version, _) in everything.items()
    }.items()
    assert not {"mypy", "pytest", "ruff", "uv", "hypothesis"} & runtime.keys()


def test_server_and_client_carry_one_version():
    assert SERVER["project"]["version"] == CLIENT["project"]["version"]
    assert f"evalrpc=={CLIENT['project']['version']}" in SERVER["project"]["dependencies"]
