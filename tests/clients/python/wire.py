"""A wire to a server that can be cut: a TCP relay that resets its connections when told."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST instead of FIN


class Wire:
    """Relays connections to a target, which may change."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: set[socket.socket] = set()
        self._frozen: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._severed = False
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """Where the relay listens."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Resets all connections; new ones are relayed again."""
        with self._lock:
            ends, self._ends = self._ends, set()
        self.cuts += 1
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.close()

    def sever(self) -> None:
        """Resets all connections, and new ones too until the wire is mended: the other side is gone."""
        with self._lock:
            self._severed = True
        self.cut()

    def mend(self) -> None:
        """Relays new connections again."""
        self._severed = False

    def freeze(self) -> None:
        """Lets the connections of this moment carry nothing more, as when the other side hangs; new ones are relayed."""
        with self._lock:
            self._frozen |= self._ends

    def start(self) -> None:
        """Begins to accept connections."""
        self._run(self._accept)

    def close(self) -> None:
        """Ends everything."""
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            host, port = self.target.rsplit(":", 1)
            try:
                far = socket.create_connection((host, int(port)))
            except OSError:
                near.close()
                continue
            with self._lock:
                relayed = not self._severed
                if relayed:
                    self._ends |= {near, far}
            if not relayed:
                near.close()
                far.close()
                continue
            self._run(self._relay, near, far)
            self._run(self._relay, far, near)

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._frozen:
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _run(self, work: object, *args: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def wire(target: str) -> Iterator[Wire]:
    """Relays to `target` until the block ends."""
    made = Wire(target)
    made.start()
    try:
        yield made
    finally:
        made.close()
