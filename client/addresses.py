"""Which hosts are this machine (loopback), and which addresses are private."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
# RFC 2544 reserves it for benchmarks. Widespread proxy programs answer every name with an address of it ("fake IP") and
# connect to the real one, so a name that resolves to it is not private.
_FAKE_IP: Final = IPv4Network("198.18.0.0/15")
_SHARED: Final = IPv4Network("100.64.0.0/10")  # RFC 6598: carrier-grade NAT, and one cloud's metadata service


def is_loopback(host: str | None) -> bool:
    """Return whether a host name or literal address is this machine, without resolving names.

    True for 127.0.0.0/8 (also in the short and numeric forms that resolvers accept, such as 127.1), ::1, its mapped
    form ::ffff:127.0.0.1, ``localhost`` and the names below it (RFC 6761, 6.3).

    >>> is_loopback("127.1"), is_loopback("127.evil.example")
    (True, False)
    """
    if not host:
        return False
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = literal_address(name)
    return address is not None and address.is_loopback


def is_private(address: _Address, *, resolved: bool = False) -> bool:
    """Return whether an address belongs to this machine or to a private network.

    Args:
        address: Any address.
        resolved: Whether it is the result of resolving a name, and not literal.
    """
    if isinstance(address, IPv6Address):
        if inner := _embedded(address):
            return is_private(inner, resolved=resolved)
        return not address.is_global or address.is_multicast
    if resolved and address in _FAKE_IP:
        return False
    return not address.is_global or address.is_multicast or address in _SHARED


def private_address_of(host: str) -> _Address | None:
    """Return a private address that a host name resolves to, or a private literal address; otherwise None.

    A name that does not resolve here is not private: behind a proxy, only the proxy resolves names. A name may resolve
    to another address by the time of the connection (DNS rebinding); this check does not prevent that.
    """
    literal = literal_address(host)
    if literal is not None:
        return literal if is_private(literal) else None
    if is_loopback(host):
        return IPv4Address("127.0.0.1")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    for *_, target in found:
        address = ip_address(str(target[0]).partition("%")[0])
        if is_private(address, resolved=True):
            return address
    return None


def literal_address(host: str) -> _Address | None:
    """Parse a literal address as resolvers do: IPv6 with a zone, mapped IPv4, 127.1, 0x7f000001 and 2130706433."""
    host = host.rstrip(".")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        if not re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}", host, re.IGNORECASE):
            return None
        try:
            # inet_aton accepts one to four parts, decimal, octal or hexadecimal, as getaddrinfo does.
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address contains (NAT64, mapped, or 6to4: RFC 3056)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
