"""The client that a process has without making one."""

from __future__ import annotations

import atexit
import threading

from evalrpc._sync.client import Client

_lock = threading.Lock()
_clients: list[Client] = []


def get_client() -> Client:
    """Returns the client of this process, which EVALRPC_ADDRESS and EVALRPC_TOKEN connect; it is closed at exit.

    Raises:
        InvalidRequestError: EVALRPC_ADDRESS is no address.
    """
    with _lock:
        if not _clients or _clients[0].closed:
            _clients[:] = [Client()]
            atexit.register(_clients[0].close)
        return _clients[0]
