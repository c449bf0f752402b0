"""Temporary folders, removed even after a crash: each contains a lock, and a later run removes those without owner."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetake.errors import UsageError
from onetake.io.locks import LockState, acquire, try_lock
from preflight.file_system import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "onetake-scratch-"
_LOCK: Final = "lock"
_LOCKED_AFTER_S: Final = 600.0
"""A folder without a lock file is abandoned after this time: its process was killed before it created one."""
_LOCK_FLAGS: Final = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""If the lock file has been replaced: opening a FIFO must not block, and a link must not be followed."""


@contextlib.contextmanager
def scratch_folder(prefix: str = PREFIX) -> Iterator[Path]:
    """Create a folder that only this user can access, and remove it when the block ends.

    Abandoned folders of earlier runs are removed first.

    Args:
        prefix: The prefix of the folder's name.

    Raises:
        UsageError: No folder for temporary files is writable.
        OSError: The folder cannot be created.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise UsageError("no folder for temporary files can be written", "set TMPDIR to one") from error
    remove_abandoned(prefix)
    with contextlib.ExitStack() as stack:
        while True:
            # named before it is created: an interrupt between creation and callback would leave it behind
            folder = Path(tempfile.gettempdir(), f"{prefix}{secrets.token_hex(8)}")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(0o700)
            # another run may remove the folder between its creation and its lock: then try again
            with contextlib.suppress(FileNotFoundError):
                lock = stack.enter_context((folder / _LOCK).open("x"))
                if acquire(lock.fileno()) is not LockState.HELD_ELSEWHERE and (folder / _LOCK).exists():
                    break
        yield folder


def remove_abandoned(prefix: str = PREFIX) -> None:
    """Remove this user's folders whose process has ended; folders of running processes and of other users stay."""
    with contextlib.suppress(OSError):  # the temporary folder cannot be listed
        for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    found = folder.lstat()
    if not (stat.S_ISDIR(found.st_mode) and is_own(found)):
        return False
    try:
        handle = os.open(folder / _LOCK, _LOCK_FLAGS)
    except FileNotFoundError:
        return time.time() - found.st_mtime > _LOCKED_AFTER_S
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and try_lock(handle)
    finally:
        os.close(handle)
