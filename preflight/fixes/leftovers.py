"""Temporary files beside outputs: those whose writer was killed are removed, those of a living one are not.

A writer holds a lock on its file, which the system releases when the process ends.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import Final

from preflight import limits

try:
    import fcntl
except ImportError:  # Windows: there a file that is open cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

PREFIX: Final = ".onetake-"
_YOUNG_S: Final = 60.0
"""A file may have no lock yet, or none any more, shortly after it was created or written to."""
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def hold(descriptor: int) -> None:
    """Lock a new file until it is closed; without effect on a file system that has no locks."""
    _lock(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in `folder` that this user's killed runs left.

    Only files that are called as this package calls its own, belong to this user, and have no living writer.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(tuple(limits.ACCEPTED.values())):
                with contextlib.suppress(OSError):
                    if _is_abandoned(entry):
                        Path(entry.path).unlink()


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    is_ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not stat.S_ISREG(found.st_mode) or not is_ours or time.time() - found.st_mtime < _YOUNG_S:
        return False
    descriptor = os.open(entry.path, _FLAGS)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
