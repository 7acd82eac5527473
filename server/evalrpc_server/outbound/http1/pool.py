"""The open connections: those in use, and those that wait for their next request."""

from __future__ import annotations

import asyncio

from evalrpc_server.outbound.http1.connecting import Origin
from evalrpc_server.outbound.http1.connection import Http1Connection

# Below the 5 s after which uvicorn and Node close an idle connection: a request must not race the server's close.
KEEP_ALIVE_SECONDS = 4.0

Key = tuple[Origin, str | None]
"""Where connections lead, and whom their peer proved to be where that is not the host."""


class Pool:
    """Keeps connections for a while after each request; the one that was used last is used next."""

    def __init__(self) -> None:
        self._open: dict[Http1Connection, Key] = {}
        self._idle: dict[Key, list[tuple[Http1Connection, float]]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def add(self, key: Key, connection: Http1Connection) -> None:
        """Takes in a connection that is in use."""
        if not connection.closed:
            self._open[connection] = key

    def take(self, key: Key) -> Http1Connection | None:
        """Returns a connection that waits, if there is one."""
        idle = self._idle.get(key)
        now = asyncio.get_running_loop().time()
        while idle:
            connection, until = idle.pop()
            if connection.closed:
                continue
            if until > now:
                return connection
            connection.abort()
        return None

    def put(self, key: Key, connection: Http1Connection) -> None:
        """Lets a connection wait for its next request."""
        loop = asyncio.get_running_loop()
        self._idle.setdefault(key, []).append((connection, loop.time() + KEEP_ALIVE_SECONDS))
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_ALIVE_SECONDS, self._close_expired)

    def forget(self, connection: Http1Connection) -> None:
        """Drops a connection that is closed."""
        self._open.pop(connection, None)

    async def aclose(self) -> None:
        """Closes all connections, those in use included."""
        if self._sweep is not None:
            self._sweep.cancel()
        connections = list(self._open)
        self._idle.clear()
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in connections))

    def _close_expired(self) -> None:
        loop = asyncio.get_running_loop()
        now, idle = loop.time(), self._idle
        self._idle = {}
        for key, connections in idle.items():
            left = [(each, until) for each, until in connections if until > now and not each.closed]
            for connection, until in connections:
                if until <= now:
                    connection.abort()
            if left:
                self._idle[key] = left
        self._sweep = loop.call_later(KEEP_ALIVE_SECONDS, self._close_expired) if self._idle else None
