"""Which addresses a host name means, and which of them may be called."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from evalrpc_server.outbound.settings import AddressCheck

RESOLVED_SECONDS = 10.0
"""How long the addresses of a name are kept."""

_MOST_NAMES = 1000


class AllRefusedError(Exception):
    """The address check lets none of a host's addresses through; the message is its reason."""


class Names:
    """Resolves names, each once in ten seconds, however many ask for it."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[Sequence[str]]]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Returns the addresses of a host in the resolver's order, each once.

        Raises:
            socket.gaierror: the host is unknown, or nothing is asked any more.
        """
        now = asyncio.get_running_loop().time()
        asked, resolving = self._asked.get((host, port), (0.0, None))
        if resolving is None or asked + RESOLVED_SECONDS < now or _failed(resolving):
            if len(self._asked) >= _MOST_NAMES:
                self._forget(now)
            resolving = asyncio.create_task(resolve(host, port))
            resolving.add_done_callback(_failed)
            self._asked[host, port] = now, resolving
        try:
            return await asyncio.shield(resolving)
        except asyncio.CancelledError:
            if not resolving.cancelled():
                raise
            raise socket.gaierror(socket.EAI_FAIL, "the client is closed") from None

    async def aclose(self) -> None:
        """Asks no further."""
        tasks = [resolving for _, resolving in self._asked.values()]
        self._asked.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, now: float) -> None:
        self._asked = {
            name: (asked, resolving)
            for name, (asked, resolving) in self._asked.items()
            if asked + RESOLVED_SECONDS >= now or not resolving.done()
        }


async def resolve(host: str, port: int) -> Sequence[str]:
    """Returns the addresses of a host in the resolver's order, each once.

    Raises:
        socket.gaierror: the host is unknown.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def allowed_addresses(host: str, port: int, check: AddressCheck) -> Sequence[str]:
    """Resolves a host and returns the addresses that may be called.

    Raises:
        socket.gaierror: the host is unknown.
        AllRefusedError: none may be called.
    """
    return allowed(host, port, await resolve(host, port), check)


def allowed(host: str, port: int, addresses: Sequence[str], check: AddressCheck) -> Sequence[str]:
    """Returns the addresses of a host that may be called.

    Raises:
        AllRefusedError: none may be.
    """
    refusal = f"{host} has no address"
    found: list[str] = []
    for ip in addresses:
        reason = check(host, ip, port)
        if reason is None:
            found.append(ip)
        else:
            refusal = reason
    if not found:
        raise AllRefusedError(refusal)
    return found


def _failed(resolving: asyncio.Task[Sequence[str]]) -> bool:
    return resolving.done() and (resolving.cancelled() or resolving.exception() is not None)
