"""Files and folders that only their owner may read: made so again where a restored backup or a umask left them open.

Windows keeps access lists instead, which a user's own folders inherit: nothing is checked there.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_IS_POSIX: Final = os.name == "posix"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def readable_by_others(path: Path) -> bool:
    """Whether other users may read a file; False where that is not known."""
    return _mode(path) & (stat.S_IRGRP | stat.S_IROTH) != 0


def writable_by_others(path: Path) -> bool:
    """Whether other users may change a file, or exchange what is in a folder; False where that is not known."""
    mode = _mode(path)
    return mode & _OTHERS_WRITE != 0 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)


def make_private(path: Path, warn: Callable[[str], None]) -> None:
    """Take from other users what they may do with a file, or with a folder that they may write; say so.

    A folder that others may only list is left alone: it may hold other things than ours.
    """
    mode = _mode(path)
    is_open = writable_by_others(path) if stat.S_ISDIR(mode) else mode & _OTHERS != 0
    if not is_open:
        return
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        warn(f"{str(path)!r} is open to other users (mode {stat.S_IMODE(mode):04o}), and that cannot be changed: "
             f"{(error.strerror or str(error)).lower()}")  # fmt: skip
        return
    warn(f"{str(path)!r} was open to other users (mode {stat.S_IMODE(mode):04o}); only you can use it now")


def mode_of(path: Path) -> str:
    """The permissions of a file as `chmod` takes them, such as ``0644``."""
    return f"{stat.S_IMODE(_mode(path)):04o}"


def _mode(path: Path) -> int:
    if not _IS_POSIX:
        return 0
    try:
        return path.stat().st_mode
    except OSError:
        return 0
