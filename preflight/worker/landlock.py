"""Landlock of Linux: a process gives up, for good, the right to open files except below some folders.

See ``linux/landlock.h`` and https://docs.kernel.org/userspace-api/landlock.html. Needs no privileges. The system calls
have the same numbers on all architectures, and the C library has no functions for them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION: Final = 1
"""LANDLOCK_CREATE_RULESET_VERSION: asks which version (ABI) the kernel has."""
if sys.platform == "linux":
    _OPEN_FLAGS = os.O_PATH | os.O_CLOEXEC
else:
    _OPEN_FLAGS = os.O_RDONLY
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights to files each version knows: execute, write, read, remove, make, …; 2: refer; 3: truncate; 5: ioctl
of devices. The right number n is bit n."""
_NET_RIGHTS: Final = 0b11
"""Of version 4: bind and connect TCP sockets."""
_SCOPES: Final = 0b11
"""Of version 6: no connection to abstract UNIX sockets and no signal to a process outside."""


def restrict_files(readable: Iterable[str]) -> bool:
    """Keep this thread, and what it starts, from opening files except for reading below `readable`, and from TCP.

    The caller has set no-new-privileges. Files that are open stay usable.

    Args:
        readable: Folders and files; those that do not exist are skipped.

    Returns:
        False, and nothing is changed, where the kernel has no Landlock or it is off.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    rights = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= version)) - 1
    # The structure has grown with the versions; a kernel refuses one with bits that it does not know.
    fields = [rights, _NET_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0]
    attributes = struct.pack(f"{len(fields)}Q", *fields)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            with contextlib.suppress(OSError):
                _allow_reading(libc, ruleset, path)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    handle = os.open(path, _OPEN_FLAGS)
    try:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        # struct landlock_path_beneath_attr is packed: 64 bits of rights, then the descriptor
        rule = struct.pack("=Qi", _READ_FILE | (_READ_DIR if is_folder else 0), handle)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)
