"""Harden a process that decodes untrusted files: what it gives up before it reads their first byte.

Its environment contains no secrets on any system (`preflight.worker.child`). On Linux it cannot gain privileges, be
inspected by other processes of the user, open files other than those of Python and its libraries (Landlock, Linux
5.13), use the network, start programs, or change files (seccomp). Where a kernel or an architecture lacks one of these
limits, the others remain.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable, Iterator

_SYSTEM: Final = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    *("/dev/null", "/dev/urandom"),
)
"""Where libraries are, and what they ask about the machine."""
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h

# Landlock: linux/landlock.h, https://docs.kernel.org/userspace-api/landlock.html. The system calls have the same
# numbers on all architectures, and the C library has no functions for them.
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


class Hardening(NamedTuple):
    """What is in force: each is False where the system has no such thing."""

    no_new_privileges: bool
    files: bool
    system_calls: bool


def limit_memory(most_bytes: int) -> None:
    """Limit the memory of this process, so that a hostile file ends it and not the machine, and disable core dumps.

    Only Linux can limit data alone (RLIMIT_DATA). The limit on address space (RLIMIT_AS) would count what allocators
    only reserve: macOS reserves more than any recording needs before the first byte is read. There, and on Windows,
    the caller limits the memory (`preflight.worker.resource_monitor`, `preflight.worker.child`).
    """
    if sys.platform == "win32":
        return
    import resource

    if sys.platform == "linux":
        _, highest = resource.getrlimit(resource.RLIMIT_DATA)
        limit = most_bytes if highest == resource.RLIM_INFINITY else min(most_bytes, highest)
        with contextlib.suppress(ValueError, OSError):  # less than is in use already
            resource.setrlimit(resource.RLIMIT_DATA, (limit, highest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def harden(readable: Iterable[str] = ()) -> Hardening:
    """Give up, for good, what decoding does not need.

    Args:
        readable: Files and folders that are opened later besides Python and its libraries.
    """
    if sys.platform != "linux":
        return Hardening(no_new_privileges=False, files=False, system_calls=False)
    import ctypes

    from preflight.worker.seccomp import deny_system_calls

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Hardening(no_new_privileges=False, files=False, system_calls=False)
    files = restrict_files([*_SYSTEM, *_libraries(), *readable])
    return Hardening(no_new_privileges=True, files=files, system_calls=deny_system_calls())


def _libraries() -> Iterator[str]:
    """Where Python and the packages are.

    A folder on the module path can be the user's own, such as the working folder of a script: if it contains no
    packages, only `preflight` in it counts.
    """
    prefixes = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)} - {"/"}
    for prefix in prefixes:
        yield f"{prefix}/lib"
        yield f"{prefix}/lib64"
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for entry in sys.path:
        path = os.path.realpath(entry)
        is_installed = any(path.startswith(f"{prefix}/") for prefix in prefixes) or path.endswith(".zip")
        has_packages = any(Path(path, name).is_dir() for name in ("numpy", "msgspec"))
        if is_installed or has_packages:
            yield path
            yield from _link_targets(path)
        else:
            yield f"{path}/preflight"


def _link_targets(folder: str) -> Iterator[str]:
    """Where packages really are that a folder holds as links: installers can link packages or each of their files."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield os.path.realpath(entry.path)
            elif entry.is_dir() and (start := Path(entry.path, "__init__.py")).is_symlink():
                yield str(start.resolve().parents[1])


def restrict_files(readable: Iterable[str]) -> bool:
    """Keep this thread, and what it starts, from opening files except for reading below `readable`, and from TCP.

    The caller has set no-new-privileges. Files that are open stay usable.

    Args:
        readable: Folders and files; those that do not exist are skipped.

    Returns:
        False, and nothing is changed, where the kernel has no Landlock or it is off.
    """
    import ctypes

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
