"""Loopback: no other module decides whether a host is this machine, and the servers on it own their ports."""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import socket


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address, `localhost` or a name below it (RFC 6761, 6.3). No name is resolved.

    >>> is_loopback("127.0.0.1"), is_loopback("[::1]".strip("[]")), is_loopback("127.evil.example")
    (True, True, False)
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")
    # ::ffff:127.0.0.1 connects to 127.0.0.1 (RFC 4291, 2.5.5.2), but is not loopback itself
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_loopback_url(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:  # not a URL
        return False


def claim_port(listener: socket.socket) -> None:
    """Prepare a socket so that no other program can listen at its port at the same time; call it before `bind`.

    POSIX systems see to that by themselves. On Windows, a program that sets SO_REUSEADDR may bind a port that is in
    use, and then gets its connections ("Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE" in the manual of Winsock).
    """
    if sys.platform == "win32":
        import socket

        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
