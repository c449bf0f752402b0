"""Permissions of other users on a file or folder of this user: report them, or remove them.

A restored backup or a umask can leave files open to other users. Windows has access control lists instead, which files
inherit from the user's folders: nothing is checked there.
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
    """Whether other users can read a file; False if that is unknown."""
    return _mode(path) & (stat.S_IRGRP | stat.S_IROTH) != 0


def writable_by_others(path: Path) -> bool:
    """Whether other users can change a file, or replace files in a folder; False if that is unknown."""
    mode = _mode(path)
    # the sticky bit, as on /tmp, keeps other users from renaming and deleting files that are not theirs
    return mode & _OTHERS_WRITE != 0 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)


def make_private(path: Path, warn: Callable[[str], None]) -> None:
    """Remove the permissions of other users on a file, or on a folder that they can write to, and warn.

    A folder that others can only list is not changed: it can contain files of other programs.
    """
    mode = _mode(path)
    is_open = writable_by_others(path) if stat.S_ISDIR(mode) else mode & _OTHERS != 0
    if not is_open:
        return
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        warn(f"{str(path)!r} is open to other users (mode {stat.S_IMODE(mode):04o}) and cannot be made private: "
             f"{(error.strerror or str(error)).lower()}")  # fmt: skip
        return
    warn(f"{str(path)!r} was open to other users (mode {stat.S_IMODE(mode):04o}); it is now private")


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
