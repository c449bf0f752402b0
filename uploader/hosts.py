"""Which hosts are this machine, and which can be reached from outside."""

from __future__ import annotations

import ipaddress
import socket

from uploader.errors import UrlNotPublic

_INSIDE_NAMES = ("localhost", "local", "internal", "lan", "intranet", "home.arpa")
# Proxies that route by name answer every look-up with an address of this range (RFC 2544): it says nothing.
_PLACEHOLDER_ADDRESSES = ipaddress.ip_network("198.18.0.0/15")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: a loopback address in any notation, `localhost`, or a name below it (RFC 6761).

    No name is resolved: `127.evil.example` is not loopback, whatever it resolves to.
    """
    name = _normalized(host)
    address = literal_address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def literal_address(host: str) -> Address | None:
    """The address that a host is, in any notation that resolvers take; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 127.1, 0x7f000001 and 2130706433 are addresses too; inet_aton ignores what follows white space
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host.isascii() and " " not in host else None
    except OSError:
        return None


def require_public_host(host: str) -> None:
    """Refuse a host that cannot be reached from outside.

    Loopback, private, link-local, shared (RFC 6598), multicast and reserved addresses, in any notation that
    resolvers take; names that are for the inside only; names all of whose addresses are such. A name that
    does not resolve is accepted: fetching the link shows whether it works.

    Raises:
        UrlNotPublic: The host is one of those.
    """
    name = _normalized(host)
    address = literal_address(name)
    if address is not None:
        if not _is_public(address):
            raise UrlNotPublic(f"{host} is an address that cannot be reached from outside")
        return
    if "." not in name or name.endswith(tuple(f".{inside}" for inside in _INSIDE_NAMES)):
        raise UrlNotPublic(f"{host} is a name that cannot be resolved from outside")
    addresses = _resolved(name)
    if addresses and not any(_is_public(a) or a in _PLACEHOLDER_ADDRESSES for a in addresses):
        raise UrlNotPublic(f"{host} resolves only to addresses that cannot be reached from outside")


def _normalized(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in ipaddress.ip_network("64:ff9b::/96"):  # NAT64, RFC 6052
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def _resolved(name: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
