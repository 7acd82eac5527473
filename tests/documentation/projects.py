"""Projects outside of the repository that use the clients as they are published."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import ROOT

TYPESCRIPT = ROOT / "clients" / "typescript"
GO = ROOT / "clients" / "go"
SECONDS = 300
_TSCONFIG = {
    "compilerOptions": {
        "module": "nodenext",
        "target": "es2024",
        "lib": ["es2024", "esnext.disposable"],
        "types": ["node"],
        "strict": True,
        "skipLibCheck": True,  # connect's declarations want those of browsers
        "noEmit": True,
    },
    "include": ["*.ts"],
}


def run(command: list[str], directory: Path, env: dict[str, str] | None = None) -> str:
    """Runs a command to its end and returns what it prints; fails if it does."""
    done = subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def typescript_project(directory: Path) -> Path:
    """Makes a project in which the packed TypeScript client is installed; returns its directory."""
    with _alone("typescript"):
        if not (TYPESCRIPT / "node_modules" / ".package-lock.json").is_file():
            run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], TYPESCRIPT)
        pack = ["npm", "pack", "--loglevel=error", "--pack-destination", str(directory)]
        run([*pack, "--ignore-scripts"] if _is_built() else pack, TYPESCRIPT)  # its script is the build
    modules = directory / "node_modules"
    modules.mkdir()
    # What the package depends on, and tools; linked, as it is installed already.
    for installed in (TYPESCRIPT / "node_modules").iterdir():
        if not installed.name.startswith("."):
            (modules / installed.name).symlink_to(installed)
    (packed,) = directory.glob("*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(directory, filter="data")
    package = modules / "@evalrpc" / "client"
    package.parent.mkdir()
    (directory / "package").rename(package)
    (directory / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
    (directory / "tsconfig.json").write_text(json.dumps(_TSCONFIG), "utf-8")
    return directory


def go_project(directory: Path) -> Path:
    """Makes a Go module that requires the client; returns its directory."""
    own = (GO / "go.mod").read_text("utf-8")
    versions = re.sub(r"^module .*$", "module example.org/outside", own, flags=re.MULTILINE)
    (directory / "go.mod").write_text(
        f"{versions}\n"
        "require github.com/evalrpc/evalrpc/clients/go v0.0.0\n"
        f"replace github.com/evalrpc/evalrpc/clients/go => {GO}\n",
        "utf-8",
    )
    (directory / "go.sum").write_bytes((GO / "go.sum").read_bytes())
    return directory


def _is_built() -> bool:
    """Tells whether the TypeScript client was built after the last change of it."""
    source, target = TYPESCRIPT / "src", TYPESCRIPT / "dist"
    written = list(source.rglob("*.ts"))
    built = [(target / path.relative_to(source)).with_suffix(".js") for path in written]
    if not all(path.is_file() for path in built):
        return False
    last_change = max(path.stat().st_mtime for path in [*written, *TYPESCRIPT.glob("*.json")])
    return min(path.stat().st_mtime for path in built) > last_change


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keeps other test processes from building the same package meanwhile."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
