"""The languages: how the process that runs all their features is made and started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT, Program, running

CONFORMANCE = ROOT / "tests" / "conformance"
TYPESCRIPT = ROOT / "clients" / "typescript"
BUILD_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Language:
    """A language.

    Attributes:
        name: also of the process's part in what it is told.
        title: for a table.
        suffix: of its files.
        command: builds what is to be run, into a directory, and returns the command.
    """

    name: str
    title: str
    suffix: str
    command: Callable[[Path], list[str]]


def _python(_directory: Path) -> list[str]:
    return [sys.executable, "-m", "tests.conformance.python"]


def _typescript(_directory: Path) -> list[str]:
    return ["node", "--import", "tsx", str(CONFORMANCE / "typescript.ts")]


def _go(directory: Path) -> list[str]:
    binary = directory / "conformance"
    subprocess.run(["go", "build", "-o", binary, "."], cwd=CONFORMANCE, check=True, timeout=BUILD_SECONDS)
    return [str(binary)]


LANGUAGES = (
    Language("python", "Python", "py", _python),
    Language("typescript", "TypeScript", "ts", _typescript),
    Language("go", "Go", "go", _go),
)


def launch(
    language: Language, command: Sequence[str], told: str, arguments: Sequence[str]
) -> AbstractContextManager[Program]:
    """Starts a language's process, which gets `told` as the variable CONFORMANCE."""
    cwd = TYPESCRIPT if language.name == "typescript" else ROOT  # where Node finds tsx and the client
    return running([*command, *arguments], env={"CONFORMANCE": told}, cwd=cwd)
