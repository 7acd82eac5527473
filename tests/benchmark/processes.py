"""Child processes of the benchmark: started with a ready line, always ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(
    command: Sequence[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> Iterator[Service]:
    """Runs `command` until the block ends; its first line on standard output must be a JSON object (the ready line)."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[:4]} ended with {process.wait(10)} before it was ready")
        yield Service(process, json.loads(line))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Service:
    """A running child process and what it printed when it became ready."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, object]) -> None:
        self.process = process
        self.pid = process.pid
        self.ready = ready

    @property
    def url(self) -> str:
        """Base URL of a service of this benchmark, without a trailing slash."""
        return f"http://127.0.0.1:{self.ready['port']}"


def module(name: str) -> list[str]:
    """The command that runs a module of this project with this interpreter."""
    return [sys.executable, "-m", name]
