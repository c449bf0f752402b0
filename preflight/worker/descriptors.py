"""Pass an open file to another process, which then needs no right to open it.

The channel is a pair of UNIX sockets without a name: nobody else can connect to it, and nothing of it is a network.
"""

from __future__ import annotations

import socket
from typing import TypeAlias

Channel: TypeAlias = socket.socket
"""One end."""


def channel() -> tuple[Channel, Channel]:
    """Both ends; the second is for the child, which inherits it by its number."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def inherited(number: int) -> Channel:
    """The child's end."""
    return socket.socket(fileno=number)


def send(end: Channel, descriptor: int) -> None:
    """Pass a file that is open here; it stays open here.

    Raises:
        OSError: The other process is gone.
    """
    socket.send_fds(end, [b"f"], [descriptor])


def receive(end: Channel) -> int:
    """The next file that the other process passes; the caller closes it.

    Raises:
        EOFError: The other process is gone.
    """
    _, descriptors, _, _ = socket.recv_fds(end, 1, 1)
    if not descriptors:
        raise EOFError
    return descriptors[0]
