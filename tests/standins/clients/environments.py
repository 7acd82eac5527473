"""Installs Langfuse's SDKs once, each in an environment of its own below ``.cache`` at the root of the repository."""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "langfuse-clients"
PYTHON_VERSIONS = ("3.15.0", "4.18.0", "5.0.4")
JAVASCRIPT_VERSION = "5.11.1"
INSTALL_SECONDS = 240


def python(version: str) -> list[str]:
    """The command of a Python that has this version of ``langfuse``."""
    requirements = HERE / f"python-{version}.txt"
    home = CACHE / f"python-{version}-{sys.version_info.major}.{sys.version_info.minor}"

    def install() -> None:
        _run([sys.executable, "-m", "venv", str(home)])
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--requirement", str(requirements)])

    _once(home, requirements.read_bytes(), install)
    return [str(home / "bin" / "python")]


def javascript(script: str) -> list[str]:
    """The command that runs a script of ``javascript/`` beside an installed ``@langfuse/client``."""
    source = HERE / "javascript"
    home = CACHE / f"javascript-{JAVASCRIPT_VERSION}"
    lock = (source / "package-lock.json").read_bytes()

    def install() -> None:
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, home / name)
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=home)

    _once(home, lock, install)
    # Node looks for packages beside the script, so the script goes to where they are.
    with _alone(CACHE / f"{home.name}.lock"):
        if not (home / script).is_file() or not filecmp.cmp(source / script, home / script, shallow=False):
            shutil.copy(source / script, home / script)
    return ["node", str(home / script)]


def _once(home: Path, wanted: bytes, install: Callable[[], None]) -> None:
    """Run `install` unless `home` was installed completely from the same list before."""
    mark = home / "installed"
    digest = hashlib.sha256(wanted).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(CACHE / f"{home.name}.lock"):
        if mark.is_file() and mark.read_text() == digest:
            return
        shutil.rmtree(home, ignore_errors=True)
        install()
        mark.write_text(digest)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        timeout=INSTALL_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout}")
