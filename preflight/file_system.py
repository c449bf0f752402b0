"""File operations that differ between Linux, macOS and Windows: locks, renames, syncs, owners, modes, device names."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO, Any

NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags of `os.open` for a file that must not exist yet."""
READ_ONLY: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""Flags of `os.open` for reading. O_NONBLOCK: opening a named pipe without a writer would block forever."""

_HELD: Final = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK, 0}
"""Windows reports EACCES and EDEADLK, Wine 0. Any other error, such as ENOLCK, means that locks are not supported."""
_SHARING: Final = {32, 33}  # winerror.h: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
_IN_USE: Final = {5, *_SHARING}  # ERROR_ACCESS_DENIED, too: what a rename reports for a target that is open
_RETRY_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9¹²³]) *(\..*)?", re.IGNORECASE)
"""https://learn.microsoft.com/windows/win32/fileio/naming-a-file: also with an extension, in any case."""


class LockState(Enum):
    """The result of an attempt to lock a file."""

    ACQUIRED = "acquired"
    HELD_ELSEWHERE = "held elsewhere"
    UNSUPPORTED = "unsupported"


if sys.platform == "win32":
    import _winapi
    import msvcrt

    _SHARE_ALL: Final = 7  # FILE_SHARE_READ, FILE_SHARE_WRITE and FILE_SHARE_DELETE
    _DELETE: Final = 0x10000  # the access right that replacing a file needs

    def _refusal(path: str, access: int) -> int:
        """The error of Windows for opening a file that it would share with others; 0 if it can be opened."""
        try:
            handle = _winapi.CreateFile(path, access, _SHARE_ALL, 0, _winapi.OPEN_EXISTING, 0, 0)
        except OSError as error:
            return error.winerror or 0
        _winapi.CloseHandle(handle)
        return 0

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


def is_in_use(error: OSError, path: str | bytes | os.PathLike[Any], *, to_replace: bool = False) -> bool:
    """Whether Windows refused access to a file because another program has it open; False on other systems.

    The C runtime reports that as a missing permission (EACCES), and a rename as ERROR_ACCESS_DENIED. To learn the
    reason, the file is opened once more, without the C runtime, and closed.

    Args:
        error: What was raised.
        path: The file.
        to_replace: Whether it was to be replaced, not read.
    """
    if sys.platform == "win32" and error.errno == errno.EACCES:
        if error.winerror in _SHARING:
            return True
        return _refusal(os.fsdecode(path), _DELETE if to_replace else _winapi.GENERIC_READ) in _SHARING
    return False


def acquire(handle: int) -> LockState:
    """Try to lock an open file exclusively, without waiting.

    The system releases the lock when the process ends, even if it is killed.
    """
    try:
        _lock(handle)
    except OSError as error:
        return LockState.HELD_ELSEWHERE if error.errno in _HELD else LockState.UNSUPPORTED
    return LockState.ACQUIRED


def replace_file(source: Path, target: Path) -> None:
    """Rename a file and replace `target` atomically.

    Windows does not replace a file that another program has open without sharing, as virus scanners and indexers do
    for a moment: the call is repeated for 1.6 s.

    Raises:
        OSError: The file cannot be renamed.
    """
    for pause in _RETRY_S:
        try:
            source.replace(target)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(pause)
        else:
            return
    source.replace(target)


def remove_file(path: Path) -> None:
    """Remove a temporary file if it exists. On Windows, one that other programs keep open for over 1.6 s is left.

    Raises:
        OSError: The file cannot be removed.
    """
    if not os.path.lexists(path):  # also where the folder is a file, for which unlink(missing_ok=True) raises
        return
    for pause in _RETRY_S:
        try:
            path.unlink(missing_ok=True)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(pause)
        else:
            return


def sync_file(file: IO[bytes]) -> None:
    """Flush an open file, and make its content survive a power failure; raises OSError.

    On macOS fsync(2) leaves the content in the cache of the drive; F_FULLFSYNC writes that, too. Some file systems,
    such as those of network shares, do not have it.
    """
    file.flush()
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in {errno.ENOTSUP, errno.EINVAL, errno.ENOTTY, errno.ENODEV}:
                raise
        else:
            return
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make new and renamed entries of a folder survive a power failure; raises OSError.

    POSIX requires a call for the folder (fsync(2)). Windows has no such call, and writes its journal by itself.
    """
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def copy_mode(source: Path, target: Path) -> None:
    """Give `target` the permissions of `source`; raises OSError.

    Not on Windows, where the mode only says whether a file is read-only: a read-only one is not replaced anyway, and
    the temporary file could not be removed.
    """
    if sys.platform != "win32":
        shutil.copymode(source, target)


def is_own(found: os.stat_result) -> bool:
    """Whether a file belongs to this user; True on Windows, where `stat` has no owners."""
    return sys.platform == "win32" or found.st_uid == os.getuid()


def is_device_name(name: str) -> bool:
    """Whether Windows reads or writes a device instead of a file of this name, such as ``con.wav``."""
    return sys.platform == "win32" and _DEVICE.fullmatch(name.rstrip(" .")) is not None
