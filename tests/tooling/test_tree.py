"""The tree as git has it: no file names a machine, and every setting that silences a check says why."""

from __future__ import annotations

import re
import subprocess
import tomllib

from tests.processes import ROOT


def tracked(*patterns: str) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_the_folder_it_was_written_in():
    home = str(ROOT)
    found = [name for name in tracked() if home in (ROOT / name).read_text(errors="replace")]
    assert found == []


def test_every_suppressed_rule_has_a_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text()
    ignores = re.search(r"^ignore = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert ignores is not None
    assert [line for line in ignores[1].splitlines() if not re.search(r'",\s+# \w', line)] == []


def test_every_ignored_warning_has_a_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^filterwarnings = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    entries = re.findall(r'^.*"(?:ignore|default|once).*$', block[1], re.MULTILINE)
    assert [entry for entry in entries if "#" not in entry] == []


def test_both_packages_say_that_they_are_typed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["*"]
    assert (ROOT / "server/evalrpc_server/py.typed").is_file()
    assert (ROOT / "clients/python/src/evalrpc/py.typed").is_file()


def test_every_published_package_carries_the_licence():
    licence = (ROOT / "LICENSE").read_bytes()
    for client in ("python", "typescript"):  # a Go module takes the repository's
        assert (ROOT / "clients" / client / "LICENSE").read_bytes() == licence
