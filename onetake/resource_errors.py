"""Which errors of the system mean that a disk or a limit is exhausted, and what to do about each."""

from __future__ import annotations

import errno
from typing import Final

_HINTS: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free disk space, or set {}"),
    errno.EROFS: "the disk is read-only: set {} to a folder on another one",
    errno.EFBIG: "allow larger files: ulimit -f unlimited",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: ulimit -n 1024"),
    errno.ENOMEM: "free memory, or allow more: ulimit -v unlimited",
    errno.EAGAIN: "end other programs, or allow more processes and threads (ulimit -u)",
}


def resource_hint(error: OSError, setting: str) -> str | None:
    """Return what to do about an exhausted disk or limit; None for any other error.

    Args:
        error: The system's error.
        setting: The environment variable that moves the files concerned.

    >>> resource_hint(OSError(errno.EMFILE, "Too many open files"), "TMPDIR")
    'allow more open files: ulimit -n 1024'
    """
    hint = _HINTS.get(error.errno or 0)
    return None if hint is None else hint.format(setting)
