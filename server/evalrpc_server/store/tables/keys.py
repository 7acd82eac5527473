"""Keys by which the server recognises what it has issued."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc_server.store.connection import Connection


def ensure(connection: Connection, offered: Sequence[tuple[str, bytes]]) -> Sequence[bytes]:
    """Stores keys under names that have none yet, and returns the key of each name."""
    found = []
    for name, key in offered:
        connection.execute(
            "INSERT INTO keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, key.hex())
        )
        ((value,),) = connection.query("SELECT value FROM keys WHERE name = ?", (name,))
        found.append(bytes.fromhex(value))
    return found
