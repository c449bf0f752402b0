"""Advisory locks on open files. The system releases them when the process ends, even if it is killed.

POSIX systems have `flock`, Windows has `msvcrt.locking`. Some file systems (NFS without a lock daemon, some FUSE and
cluster file systems) do not support locks: this is distinguished from a lock that another process holds.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_HELD: Final = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
"""Windows reports EACCES and EDEADLK. Any other error, such as ENOLCK, means that locks are not supported."""


class LockState(Enum):
    """The result of an attempt to lock a file."""

    ACQUIRED = "acquired"
    HELD_ELSEWHERE = "held elsewhere"
    UNSUPPORTED = "unsupported"


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE: Final = 1 << 30
    """Locks of Windows are mandatory; a byte far beyond the end leaves the content readable."""

    def _lock(handle: int) -> None:
        before = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, before, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def acquire(handle: int) -> LockState:
    """Try to lock an open file exclusively, without waiting."""
    try:
        _lock(handle)
    except OSError as error:
        return LockState.HELD_ELSEWHERE if error.errno in _HELD else LockState.UNSUPPORTED
    return LockState.ACQUIRED


def try_lock(handle: int) -> bool:
    """Try to lock an open file exclusively; False also if locks are not supported."""
    return acquire(handle) is LockState.ACQUIRED


def locks_work_in(folder: Path) -> bool:
    """Whether a folder's file system supports locks: `flock` as in this module, and `fcntl` locks as in SQLite."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if sys.platform != "win32":
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return acquire(file.fileno()) is not LockState.UNSUPPORTED
    except OSError as error:
        return error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
