"""Real processes for the tests: started in a session of their own, awaited by what they print, always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 30.0


class Program:
    """A running child process whose output, both streams in one, is collected line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Starts collecting what `process` prints."""
        self.process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Everything printed so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_for(self, pattern: str, *, timeout: float = 30.0) -> re.Match[str]:
        """Waits until the output matches `pattern`; fails if the process ends or `timeout` seconds pass before."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (match := re.search(pattern, "".join(self._lines), re.MULTILINE)) is None:
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"ran for {timeout:g} s"
                    raise AssertionError(f"{why} without printing {pattern!r}:\n{''.join(self._lines)}")
                self._changed.wait(left)
            return match

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone, not to its children."""
        self.process.send_signal(number)

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Waits for the end; returns the exit code, negative for a signal."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def group_is_empty(self) -> bool:
        """Tells whether no process is left in the session that this one leads."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill_group(self) -> None:
        """Ends whatever is left of the process and its children at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Program]:
    """Runs `command`, with `env` added to the environment, until the block ends; then stops it and its children."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | dict(env or {}) | {"PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            program.wait()
        except subprocess.TimeoutExpired:
            pass
        finally:
            program.kill_group()
            program.wait()
