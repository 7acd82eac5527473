"""The peers' own environments: installed once into the git-ignored `.cache/benchmark`, again when their pins change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

CACHE = ROOT / ".cache" / "benchmark"
_PINS = Path(__file__).parent


def python() -> Path:
    """An interpreter with the Langfuse Python SDK; installs it at the first call."""
    home = _home("python", _PINS / "requirements.txt")
    interpreter = home / "bin" / "python"
    if not (home / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        pins = str(_PINS / "requirements.txt")
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--requirement", pins], check=True)
        (home / ".installed").touch()
    return interpreter


def node() -> Path:
    """A directory whose scripts can import the Langfuse JS SDK; installs it at the first call."""
    home = _home("node", _PINS / "package.json")
    if not (home / ".installed").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        shutil.copy(_PINS / "package.json", home)
        install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=home, check=True)
        (home / ".installed").touch()
    return home


def _home(kind: str, pins: Path) -> Path:
    return CACHE / f"{kind}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:8]}"
