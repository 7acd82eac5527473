"""Addresses that the server listens on."""

from __future__ import annotations

import ipaddress


class ListenError(Exception):
    """An address cannot be listened on; the message says why."""


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of "host:port" or "[host]:port".

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not of the form host:port, such as 127.0.0.1:50051")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_local(address: str) -> bool:
    """Whether only this machine can connect to the address: a loopback one, or a Unix socket."""
    if address.startswith("unix:"):
        return True
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
