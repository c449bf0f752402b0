"""What a process that handles hostile bytes gives up before it sees the first of them.

Its environment holds no secrets on any system. On Linux it can gain no privileges, cannot be inspected by others of
the same user, opens no files but those of Python and its libraries (Landlock, Linux 5.13), and has no network, starts
no programs and changes no files (seccomp). Where a kernel or an architecture lacks one of these, the others remain.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEPT: Final = re.compile(
    # programs and libraries, language, time zone, temporary files
    "PATH|LD_LIBRARY_PATH|DYLD_.*|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|TEMP|TMP|"
    # Windows cannot start a process without the first of these
    "SYSTEMROOT|SYSTEMDRIVE|WINDIR|PATHEXT|NUMBER_OF_PROCESSORS|"
    "PYTHONHOME|PYTHONUTF8|PYTHONDONTWRITEBYTECODE|PYTHONPYCACHEPREFIX|PYTHONPLATLIBDIR|"
    "OPENBLAS_.*|OMP_.*|MKL_.*",
    re.IGNORECASE,
)
_SYSTEM: Final = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    *("/dev/null", "/dev/urandom"),
)
"""Where libraries are, and what they ask about the machine."""
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h


class Hardening(NamedTuple):
    """What is in force: each is False where the system has no such thing."""

    no_new_privileges: bool
    files: bool
    system_calls: bool


def limit_memory(most_bytes: int) -> None:
    """Limit the memory of this process, so that a hostile file ends it and not the machine, and disable core dumps.

    Only Linux can limit data alone (RLIMIT_DATA). The limit on address space (RLIMIT_AS) would count what allocators
    only reserve: macOS reserves more than any recording needs before the first byte is read. There, and on Windows,
    the caller limits the memory (`preflight.worker.monitor`, `preflight.worker.windows_job`).
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


def clean_environment() -> dict[str, str]:
    """This process's environment for a child, without all that the child does not need: keys, proxies, settings."""
    return {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}


def harden(readable: Iterable[str] = ()) -> Hardening:
    """Give up, for good, what decoding does not need.

    Args:
        readable: Files and folders that are opened later besides Python and its libraries.
    """
    if sys.platform != "linux":
        return Hardening(no_new_privileges=False, files=False, system_calls=False)
    import ctypes

    from preflight.worker.landlock import restrict_files
    from preflight.worker.seccomp import deny_system_calls

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Hardening(no_new_privileges=False, files=False, system_calls=False)
    files = restrict_files([*_SYSTEM, *_libraries(), *readable])
    return Hardening(no_new_privileges=True, files=files, system_calls=deny_system_calls())


def _libraries() -> Iterator[str]:
    """Where Python and the packages are.

    A folder on the module path can be the user's own, such as the working folder of a script: of one without packages
    only `preflight` itself.
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
