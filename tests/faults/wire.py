"""A wire that goes wrong: a TCP relay that cuts, resets, stalls, swallows, half-closes, delays or slices what it carries."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST instead of FIN
_BLOCK = 65536


class Fault(Enum):
    """What happens to a connection."""

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half-close"
    """The receiver is told that nothing more comes; the other direction goes on."""
    STALL = "stall"
    """Nothing passes any more, in either direction, and nobody is told."""
    SWALLOW = "swallow"
    """What is sent in this direction is lost, and nobody is told."""


class Side(Enum):
    """A direction: from the caller to the server, or back."""

    REQUESTS = "requests"
    ANSWERS = "answers"


@dataclass(frozen=True)
class Plan:
    """A fault that comes once so many more bytes have passed in one direction."""

    fault: Fault
    side: Side = Side.ANSWERS
    after: int = 0


class Line:
    """One connection."""

    def __init__(self, caller: asyncio.StreamWriter, server: asyncio.StreamWriter, plan: Plan | None) -> None:
        self._writers = {Side.ANSWERS: caller, Side.REQUESTS: server}
        self._plan = plan
        self._left = plan.after if plan else 0
        self._broken = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    def expect(self, plan: Plan) -> None:
        """Lets a fault come."""
        self._plan, self._left, self._broken = plan, plan.after, False
        if not plan.after:
            self._break(plan)

    def flow(self) -> None:
        """Ends a stall."""
        self._plan = None
        self._flowing.set()

    async def carry(self, side: Side, source: asyncio.StreamReader, wire: Wire) -> None:
        """Carries one direction to its end."""
        writer = self._writers[side]
        with suppress(OSError):
            while block := await source.read(_BLOCK):
                size = wire.slice_bytes or len(block)
                for start in range(0, len(block), size):
                    await asyncio.sleep(wire.delay)
                    await self._flowing.wait()
                    if passing := self._passing(side, block[start : start + size]):
                        writer.write(passing)
                        await writer.drain()
            await self._flowing.wait()
            writer.write_eof()

    def _passing(self, side: Side, piece: bytes) -> bytes:
        plan = self._plan
        if plan is None or plan.side is not side:
            return piece
        if self._broken:
            return b""
        passing = piece[: self._left]
        self._left -= len(passing)
        if not self._left:
            self._writers[side].write(passing)
            self._break(plan)
            return b""
        return passing

    def _break(self, plan: Plan) -> None:
        self._broken = True
        match plan.fault:
            case Fault.CLOSE:
                self.close()
            case Fault.RESET:
                for writer in self._writers.values():
                    raw: socket.socket = writer.get_extra_info("socket")
                    with suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    writer.transport.abort()
            case Fault.HALF_CLOSE:
                self._writers[plan.side].write_eof()
            case Fault.STALL:
                self._flowing.clear()
            case Fault.SWALLOW:
                pass

    def close(self) -> None:
        """Closes both ends."""
        for writer in self._writers.values():
            writer.close()


class Wire:
    """Relays connections to `target`, as well as it is told to.

    Attributes:
        address: where it listens.
        slice_bytes: passes everything on in pieces of this size; 0 for as it comes.
        delay: seconds that each piece waits.
        plan: what happens to connections to come.
        lines: the connections that are open.
        connections: how many there have been.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.slice_bytes = 0
        self.delay = 0.0
        self.plan: Plan | None = None
        self.lines: list[Line] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def disturb(self, fault: Fault, side: Side = Side.ANSWERS, after: int = 0) -> None:
        """Lets a fault come to the connections that are open; new ones are not concerned."""
        for line in list(self.lines):
            line.expect(Plan(fault, side, after))

    async def accept(self, reader: asyncio.StreamReader, caller: asyncio.StreamWriter) -> None:
        """Relays one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        host, _, port = self.target.rpartition(":")
        try:
            answers, server = await asyncio.open_connection(host, int(port))
        except OSError:
            caller.close()
            return
        line = Line(caller, server, self.plan)
        self.lines.append(line)
        self.connections += 1
        try:
            await asyncio.gather(
                line.carry(Side.REQUESTS, reader, self), line.carry(Side.ANSWERS, answers, self)
            )
        except asyncio.CancelledError:
            pass  # the wire is taken down
        finally:
            line.close()
            self.lines.remove(line)

    async def down(self) -> None:
        """Ends everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def wire(target: str) -> AsyncIterator[Wire]:
    """Relays to `target` until the block ends."""
    made = Wire(target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    made.address = f"{host}:{port}"
    try:
        yield made
    finally:
        server.close()
        await made.down()
