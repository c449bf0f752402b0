"""The private folder of a session: removed with the session, unless it crashed; then its takes are recovered."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Final

from onetake.io.locks import acquire, try_lock
from preflight.file_system import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK: Final = "lock"
_NEW_FOR_S: Final = 600.0
"""A folder without a lock file may be that of a session which is just starting."""


@contextlib.contextmanager
def session_folder(root: Path, *, keep: list[bool]) -> Iterator[Path]:
    """Create a folder that only this user can access, and adopt what crashed sessions left; it is removed afterwards.

    Args:
        root: The folder of all sessions; created if missing.
        keep: If it contains anything when the block ends, the folder stays, and the next session adopts it.

    Raises:
        OSError: The folder cannot be created.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root / secrets.token_hex(8)
    folder.mkdir(mode=0o700)
    try:
        with (folder / _LOCK).open("x") as lock:
            acquire(lock.fileno())
            for abandoned in root.iterdir():
                if abandoned != folder:
                    _adopt(abandoned, folder)
            sync_folder(folder)
            yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _adopt(abandoned: Path, folder: Path) -> None:
    """Move the takes of a session whose process has ended; a folder that another session uses stays."""
    try:
        handle = os.open(abandoned / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - abandoned.stat().st_mtime > _NEW_FOR_S:
                shutil.rmtree(abandoned, ignore_errors=True)
        return
    except OSError:
        return  # not a folder of ours
    try:
        if not try_lock(handle):
            return
        for entry in abandoned.iterdir():
            if entry.is_dir():
                entry.rename(folder / entry.name)
    finally:
        os.close(handle)
    shutil.rmtree(abandoned, ignore_errors=True)
