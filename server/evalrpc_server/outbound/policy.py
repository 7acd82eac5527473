"""The outbound policy: which addresses the URLs and targets that callers name may lead to.

Asked with every resolved address right before a connection to it is opened, so that no second answer of the name service and
no redirect gets around it. The configuration is a list of what is allowed:

    public                 every public address
    private                every private and loopback address
    app.example.com        a host, at whatever address its name has; *.example.com for all below a domain
    10.20.0.0/16           a network; a single address counts as one

An entry may end in a port, `10.20.0.0/16:9380`, `[fd00::/8]:443`, and then allows no other. Nothing allows link-local addresses,
the metadata services of clouds, and addresses that belong to no machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network

from msgspec import Struct

from evalrpc_server.outbound.reach import Network, Reach, addresses_of, reach

PUBLIC = "public"
PRIVATE = "private"

_HOST = re.compile(r"(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_BRACKETED = re.compile(r"\[([^\]]+)\](?::([0-9]{1,5}))?")


class PolicyError(ValueError):
    """An entry of the policy cannot be read; the message says which and why."""


class Rule(Struct, frozen=True, kw_only=True):
    """One entry: a reach, a network or a host, and the only port where one is given."""

    text: str
    reaches: frozenset[Reach] = frozenset()
    network: Network | None = None
    host: str = ""
    port: int | None = None

    def allows(self, host: str, ip: str, port: int, found: Reach) -> bool:
        """Whether this entry lets a connection through."""
        if self.port not in {None, port}:
            return False
        if self.network is not None:
            own, *carried = addresses_of(ip)
            inside = [address in self.network for address in carried]
            return own in self.network or (bool(inside) and all(inside))
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host if self.host else found in self.reaches


class OutboundPolicy:
    """Decides about connections; an `AddressCheck`.

    Args:
        rules: what is allowed; one that matches is enough.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def __str__(self) -> str:
        return ", ".join(rule.text for rule in self._rules)

    def __call__(self, host: str, ip: str, port: int) -> str | None:
        """Returns why a connection must not be opened; None when it may."""
        try:
            found, kind = reach(ip)
        except ValueError:
            return f"{ip[:64]} is no IP address"
        if found is Reach.NEVER:
            return f"{ip} is {kind}, which is never called"
        name = host.lower().rstrip(".")
        if any(rule.allows(name, ip, port, found) for rule in self._rules):
            return None
        return f"{ip}, port {port}, is {kind}, and the server's --outbound-allow ({self}) does not allow it"


def parse_policy(text: str, *, local: bool) -> OutboundPolicy:
    """Reads a policy.

    Args:
        text: entries with commas or white space between them; empty for the default.
        local: whether the server listens on loopback addresses only, so that by default its callers, who are on the same
            machine, may have private addresses called too.

    Raises:
        PolicyError: an entry cannot be read.
    """
    entries = [entry for entry in re.split(r"[,\s]+", text) if entry]
    if not entries:
        entries = [PUBLIC, PRIVATE] if local else [PUBLIC]
    return OutboundPolicy([_rule(entry) for entry in entries])


def _rule(entry: str) -> Rule:
    where, port = _split_port(entry)
    match where.lower():
        case "public":
            return Rule(text=entry, reaches=frozenset({Reach.PUBLIC}), port=port)
        case "private":
            return Rule(text=entry, reaches=frozenset({Reach.PRIVATE, Reach.LOOPBACK}), port=port)
    try:
        return Rule(text=entry, network=ip_network(where, strict=False), port=port)
    except ValueError:
        pass
    host = _ascii(where.rstrip("."))
    if not _HOST.fullmatch(host) or re.fullmatch(r"[0-9.x]+(?:/.*)?", host):
        raise PolicyError(
            f"{entry!r} is neither public, private, a host, nor a network such as 10.20.0.0/16, with or without :port"
        )
    return Rule(text=entry, host=host, port=port)


def _split_port(entry: str) -> tuple[str, int | None]:
    if (bracketed := _BRACKETED.fullmatch(entry)) is not None:
        where, port = bracketed[1], bracketed[2] or ""
    elif entry.count(":") > 1:  # an IPv6 network
        where, port = entry, ""
    else:
        where, colon, port = entry.partition(":")
        if colon and not port:
            raise PolicyError(f"{entry!r} ends where a port is expected")
    if not port:
        return where, None
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise PolicyError(f"{entry!r} has no port from 1 to 65535 behind its last colon")
    return where, int(port)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.lower()
