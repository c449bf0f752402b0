"""Locks on open files, which the system releases when their process ends, however it ends.

POSIX systems have `flock`, Windows has `msvcrt.locking`. Some file systems (NFS without a lock daemon, some FUSE and
cluster file systems) have no locks at all: that is told apart from a lock that somebody else holds.
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
"""EACCES and EDEADLK are what Windows reports; every other error means that the file cannot be locked."""


class LockState(Enum):
    """What came of trying to lock a file."""

    ACQUIRED = "acquired"
    HELD_ELSEWHERE = "held elsewhere"
    UNSUPPORTED = "unsupported"


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE: Final = 1 << 30
    """Windows locks are mandatory: a byte far beyond the content leaves that readable."""

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
    """Try to lock an open file for this process alone, without waiting."""
    try:
        _lock(handle)
    except OSError as error:
        return LockState.HELD_ELSEWHERE if error.errno in _HELD else LockState.UNSUPPORTED
    return LockState.ACQUIRED


def try_lock(handle: int) -> bool:
    """Whether an open file is now locked for this process alone; False where files cannot be locked."""
    return acquire(handle) is LockState.ACQUIRED


def locks_work_in(folder: Path) -> bool:
    """Whether files in a folder can be locked, both as this module and as SQLite do it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if sys.platform != "win32":
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return acquire(file.fileno()) is not LockState.UNSUPPORTED
    except OSError as error:
        return error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
