"""How far an IP address reaches: the whole internet, a private network, this machine, or nowhere that may be called.

By the IANA registries of special-purpose addresses (RFC 6890 and its updates), spelled out here because the standard library's
view of them differs between Python releases. An IPv6 address that carries an IPv4 address is as far as the nearer of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(IntEnum):
    """From the nearest to the farthest."""

    NEVER = 0
    LOOPBACK = 1
    PRIVATE = 2
    PUBLIC = 3


_NEVER: dict[str, str] = {
    "0.0.0.0/8": "an address of no particular machine",
    "169.254.0.0/16": "a link-local address, where clouds keep their metadata",
    "100.100.100.200/32": "a cloud's metadata service",
    "168.63.129.16/32": "a cloud's metadata service",
    "192.0.0.192/32": "a cloud's metadata service",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
    "::/128": "an address of no particular machine",
    "fe80::/10": "a link-local address",
    "fd00:ec2::/32": "a cloud's metadata service",
    "fd20:ce::254/128": "a cloud's metadata service",
    "fd00:42::42/128": "a cloud's metadata service",
    "ff00::/8": "a multicast address",
}
"""What is never called, whatever the configuration says."""

_LOOPBACK = ("127.0.0.0/8", "::1/128")

_PRIVATE = (
    "10.0.0.0/8",
    "100.64.0.0/10",  # shared by a provider's customers
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # once the relays of 6to4
    "192.168.0.0/16",
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "64:ff9b:1::/48",  # NAT64 within a network
    "100::/64",  # discarded
    "2001::/23",  # protocols, Teredo among them
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation
    "5f00::/16",  # segment routing
    "fc00::/7",
    "fec0::/10",  # once site-local
)

_GLOBAL_IPV6 = ip_network("2000::/3")
_6TO4 = ip_network("2002::/16")
_TEREDO = ip_network("2001::/32")
_LOW_IPV4 = tuple(
    map(ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
"""Networks whose addresses carry an IPv4 address in their last 32 bits."""

_ISATAP = frozenset({0x00005EFE, 0x02005EFE})

_NEVER_NETWORKS = tuple((ip_network(network), name) for network, name in _NEVER.items())
_LOOPBACK_NETWORKS = tuple(map(ip_network, _LOOPBACK))
_PRIVATE_NETWORKS = tuple(map(ip_network, _PRIVATE))


def reach(ip: str) -> tuple[Reach, str]:
    """Returns how far an address reaches, and what it is called.

    Args:
        ip: as the resolver gives it, also with a zone (`fe80::1%eth0`).

    Raises:
        ValueError: it is no IP address.
    """
    address = ip_address(ip.partition("%")[0])
    return min((_of(each) for each in (address, *_carried(address))), key=lambda found: found[0])


def addresses_of(ip: str) -> tuple[Address, ...]:
    """Returns an address, with the IPv4 addresses that it carries where it is one of IPv6."""
    address = ip_address(ip.partition("%")[0])
    return address, *_carried(address)


def _of(address: Address) -> tuple[Reach, str]:
    for network, name in _NEVER_NETWORKS:
        if address in network:
            return Reach.NEVER, name
    if any(address in network for network in _LOOPBACK_NETWORKS):
        return Reach.LOOPBACK, "a loopback address"
    if any(address in network for network in _PRIVATE_NETWORKS):
        return Reach.PRIVATE, "a private address"
    if isinstance(address, IPv6Address) and address not in _GLOBAL_IPV6 and not _is_translated(address):
        return Reach.PRIVATE, "not a public address"
    return Reach.PUBLIC, "a public address"


def _is_translated(address: IPv6Address) -> bool:
    """Whether an address stands for an IPv4 one, so that the latter alone decides."""
    return any(address in network for network in _LOW_IPV4)


def _carried(address: Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if any(address in network for network in _LOW_IPV4) and number > 1:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address in _6TO4:
        yield IPv4Address(number >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:
        yield IPv4Address(number >> 64 & 0xFFFFFFFF)
        yield IPv4Address(~number & 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
