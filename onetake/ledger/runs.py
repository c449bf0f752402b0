"""Which runs of the command still live: each holds a lock that the system lets go when it ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING, Final

from onetake.locks import try_lock

if TYPE_CHECKING:
    from pathlib import Path

_YOUNG_S: Final = 60.0
"""A lock file is made a moment before it is locked: a young one is left alone."""


class Runs:
    """The lock files in a folder, one of them this run's own.

    Args:
        folder: Where they are; made when it is missing.

    Attributes:
        own: The name of this run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.own = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle: int | None = os.open(self._file(self.own), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try_lock(self._handle)

    def lives(self, run: str) -> bool:
        """Whether a run has not ended."""
        if run == self.own:
            return self._handle is not None
        try:
            handle = os.open(self._file(run), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not try_lock(handle)
        finally:
            os.close(handle)

    def sweep(self) -> None:
        """Remove the files of runs that were killed."""
        for path in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _YOUNG_S and not self.lives(path.stem):
                    path.unlink()

    def end(self) -> None:
        """Let go of this run's lock; it can be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                self._file(self.own).unlink()
            os.close(handle)

    def _file(self, run: str) -> Path:
        return self._folder / f"{run}.lock"
