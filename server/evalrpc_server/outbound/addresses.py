"""Which addresses a host name means, and which of them may be called."""

from __future__ import annotations

import asyncio
import socket

from evalrpc_server.outbound.settings import AddressCheck


class AllRefusedError(Exception):
    """The address check lets none of a host's addresses through; the message is its reason."""


async def allowed_addresses(host: str, port: int, check: AddressCheck) -> list[str]:
    """Resolves a host and returns the addresses that may be called, in the resolver's order, each once.

    Raises:
        socket.gaierror: the host is unknown.
        AllRefusedError: none may be called.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refusal = f"{host} has no address"
    allowed: list[str] = []
    for ip in dict.fromkeys(str(address[0]) for *_, address in found):
        reason = check(host, ip, port)
        if reason is None:
            allowed.append(ip)
        else:
            refusal = reason
    if not allowed:
        raise AllRefusedError(refusal)
    return allowed
