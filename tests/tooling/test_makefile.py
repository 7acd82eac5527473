"""The Makefile: what `make help` promises is there."""

from __future__ import annotations

import re
import subprocess

from tests.processes import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout


def test_help_lists_every_target_with_one_line():
    phony = re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE)
    listed = [line.split(maxsplit=1) for line in make("help").splitlines()]
    assert [name for name, _ in listed] == phony
    assert all(len(text) <= 90 for _, text in listed)


def test_help_is_what_a_bare_make_prints():
    assert make() == make("help")


def test_ci_runs_the_test_target_and_nothing_else():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and line[0] != "#"]
    assert commands == ['cd "$(dirname "$0")/.." && exec make test']
    assert "`make test`" in (ROOT / "README.md").read_text()


def test_every_script_that_make_calls_can_be_executed():
    scripts = {ROOT / name for name in re.findall(r"\.ci/[\w-]+", MAKEFILE)}
    assert scripts
    assert [script.name for script in scripts if not script.stat().st_mode & 0o111] == []
