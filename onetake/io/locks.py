"""Advisory locks on open files. The system releases them when the process ends, even if it is killed.

POSIX systems have `flock`, Windows has `msvcrt.locking`. Some file systems (NFS without a lock daemon, some FUSE and
cluster file systems) do not support locks: this is distinguished from a lock that another process holds.
"""

from __future__ import annotations

import errno
import sys
import tempfile
from typing import TYPE_CHECKING

from preflight.file_system import LockState, acquire

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LockState", "acquire", "locks_work_in", "try_lock"]


def try_lock(handle: int) -> bool:
    """Try to lock an open file exclusively; False also if locks are not supported."""
    return acquire(handle) is LockState.ACQUIRED


def locks_work_in(folder: Path) -> bool:
    """Whether a folder's file system supports locks: `flock` as in this module, and `fcntl` locks as in SQLite."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return acquire(file.fileno()) is not LockState.UNSUPPORTED
    except OSError as error:
        return error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
