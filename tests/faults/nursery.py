"""A process that has loaded the server and forks one for each order that it reads: a start costs milliseconds, not a second.

`python -m tests.faults.nursery` reads orders as JSON lines, `{"flags": [...], "env": {...}}`, one server at a time. The
servers are the real command with these flags, each a process of its own that prints to the nursery's output.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import reload

from evalrpc_server import failpoints
from evalrpc_server.__main__ import main as serve
from tests.processes import Program, running

_SECONDS = 120.0


@dataclass(frozen=True)
class Life:
    """One server of a nursery, from its birth to its death."""

    program: Program
    number: int
    pid: int
    address: str
    """Where it listens; empty where it died before it did."""

    def kill(self) -> None:
        """Sends SIGKILL; one that is dead already stays so."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    async def death(self) -> int:
        """Waits for its end; returns the exit code, negative for a signal."""
        died = await asyncio.to_thread(
            self.program.wait_for, rf"^died {self.number} (-?\d+)$", timeout=_SECONDS
        )
        return int(died[1])


class Nursery:
    """Servers, one after another."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lives = 0

    async def life(self, flags: Sequence[str], env: dict[str, str]) -> Life:
        """Starts the next server and waits until it listens or is dead."""
        self._lives += 1
        stdin = self._program.process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"number": self._lives, "flags": flags, "env": env}) + "\n")
        stdin.flush()
        ready = (
            rf"^born {self._lives} (\d+)$[\s\S]*?^(?:evalrpc-server ready: grpc=(\S+)|died {self._lives} )"
        )
        found = await asyncio.to_thread(self._program.wait_for, ready, timeout=_SECONDS)
        return Life(self._program, self._lives, int(found[1]), found[2] or "")


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Runs a nursery until the block ends; a server that is still alive ends with it."""
    with running([sys.executable, "-m", "tests.faults.nursery"], stdin=subprocess.PIPE) as program:
        try:
            yield Nursery(program)
        finally:
            program.kill_group()
            assert program.process.stdin is not None
            program.process.stdin.close()


def main() -> None:
    """Carries out the orders."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _say(f"born {order['number']} {os.getpid()}")
            os.environ.update(order["env"])
            reload(failpoints)
            sys.exit(serve(["serve", *order["flags"]]))
        _, status = os.waitpid(pid, 0)
        _say(f"died {order['number']} {os.waitstatus_to_exitcode(status)}")


def _say(line: str) -> None:
    """Writes a line in one piece, so that what killed servers leave behind says nothing in the midst of it."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main()
