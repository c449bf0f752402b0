"""Which hosts are this machine (loopback), and which addresses are publicly reachable."""

from __future__ import annotations

import ipaddress
import socket

from uploader.errors import UrlNotPublic

_PRIVATE_SUFFIXES = ("localhost", "local", "internal", "lan", "intranet", "home.arpa")
# RFC 2544 reserves it for benchmarks. Proxy programs answer every lookup with an address of it ("fake IP") and connect
# to the real one, so a name that resolves to it may be public.
_FAKE_IP_RANGE = ipaddress.ip_network("198.18.0.0/15")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: a loopback address, `localhost`, or a name below it (RFC 6761, 6.3).

    Names are not resolved: `127.evil.example` is not loopback, even if it resolves to 127.0.0.1.

    >>> is_loopback("127.1"), is_loopback("[::1]"), is_loopback("127.evil.example")
    (True, True, False)
    """
    name = _normalized(host)
    address = literal_address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def literal_address(host: str) -> Address | None:
    """Parse a literal address in any notation that resolvers accept; return None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # inet_aton accepts 127.1, 0x7f000001 and 2130706433, as getaddrinfo does, but ignores all after a space
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host.isascii() and " " not in host else None
    except OSError:
        return None


def require_public_host(host: str) -> None:
    """Refuse a host that is not publicly reachable.

    That is: loopback, private, link-local, shared (RFC 6598), multicast and reserved addresses in any notation; names
    for private networks; and names that resolve only to such addresses. A name that does not resolve is accepted:
    fetching the link decides.

    Raises:
        UrlNotPublic: The host is one of those.
    """
    name = _normalized(host)
    address = literal_address(name)
    if address is not None:
        if not _is_public(address):
            raise UrlNotPublic(f"{host} is a private address, which the service cannot reach")
        return
    if "." not in name or name.endswith(tuple(f".{suffix}" for suffix in _PRIVATE_SUFFIXES)):
        raise UrlNotPublic(f"{host} is a name of a private network, which the service cannot resolve")
    addresses = _resolved(name)
    if addresses and not any(_is_public(a) or a in _FAKE_IP_RANGE for a in addresses):
        raise UrlNotPublic(f"{host} resolves only to private addresses, which the service cannot reach")


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
