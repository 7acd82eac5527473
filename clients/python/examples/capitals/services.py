"""The demo's two services, each a process of its own on a free port: started, awaited, and ended whatever happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Services:
    """Where the server (`host:port`) and the application (a base URL) listen."""

    server: str
    app: str


@contextmanager
def running_services() -> Iterator[Services]:
    """Runs the server, with its data in a temporary directory, and the application until the block ends."""
    server = [str(Path(sys.executable).with_name("evalrpc-server")), "serve"]
    app = [sys.executable, str(HERE / "app.py"), "--port", "0"]
    with tempfile.TemporaryDirectory(prefix="evalrpc-demo-") as directory:
        settings = {
            "EVALRPC_LISTEN": "127.0.0.1:0",
            "EVALRPC_HTTP_LISTEN": "127.0.0.1:0",
            "EVALRPC_DATA_DIR": f"{directory}/data",
        }
        log = Path(directory) / "server.log"
        with (
            _running(app, r"Listening on (http://\S+)", log=Path(directory) / "app.log") as app_url,
            _running(server, r"\b(127\.0\.0\.1:\d+)", log=log, settings=settings) as address,
        ):
            yield Services(server=address, app=app_url)


@contextmanager
def _running(
    command: Sequence[str], ready: str, *, log: Path, settings: dict[str, str] | None = None
) -> Iterator[str]:
    """Runs `command` until the block ends; yields the first group of `ready` as found in what it prints.

    The process leads a session of its own, so a Ctrl-C reaches the demo alone and the demo ends it in order.
    """
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            env=os.environ | (settings or {}) | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield _first_match(process, ready, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _first_match(process: subprocess.Popen[str], pattern: str, log: Path) -> str:
    """Reads the process's output until `pattern` matches; raises `RuntimeError` if it ends or hangs before that."""
    assert process.stdout is not None
    watchdog = threading.Timer(READY_SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if match := re.search(pattern, line):
                return match[1]
    finally:
        watchdog.cancel()
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()}")
