"""The documentation says what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from evalrpc_server.evaluators.catalog import list_builtins

PAGE = Path(__file__).parents[2] / "server" / "docs" / "evaluators.md"


def test_the_page_is_what_the_command_writes():
    written = subprocess.run(
        [sys.executable, "-m", "evalrpc_server.evaluators.documentation"], capture_output=True, check=True
    )
    assert PAGE.read_text("utf-8") == written.stdout.decode(), "run `make docs`"


def test_the_page_has_a_section_for_every_builtin():
    headings = {line[4:] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("### ")}
    assert headings == {builtin.name for builtin in list_builtins()}
