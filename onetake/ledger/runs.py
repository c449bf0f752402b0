"""Which runs of the command still live.

Each run holds a lock on a file of its own, which the system releases when the run ends, however it ends. Where the file
system has no locks, or only such as other computers do not see, the record in the file decides: on the same computer
whether the process still exists, on another one when it last wrote something.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import time
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.io.locks import LockState, acquire
from onetake.io.permissions import make_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_YOUNG_S: Final = 60.0
"""A lock file is made a moment before it is locked: a young one is left alone."""
_SILENT_S: Final = 3600.0
"""A run that cannot be looked at lives if it wrote something within this time; no paid call takes that long."""
_CLOCK_S: Final = 10.0
"""By how much the clocks of a process's start and of its record may differ."""
_FLAGS: Final = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A FIFO in the place of a lock file must not stop a run."""
_NAME: Final = re.compile(r"[0-9a-f]{16}")


class _Record(msgspec.Struct, frozen=True):
    """Who holds a lock file.

    Attributes:
        host: The computer's name.
        pid: The process.
        at: When it wrote this, in seconds since 1970.
    """

    host: str
    pid: int
    at: float


class Runs:
    """The lock files in a folder, one of them this run's own.

    Args:
        folder: Where they are; made when it is missing.
        warn: Called when the folder was open to other users.
        lock: Locks an open file; for file systems whose locks behave in another way.

    Attributes:
        own: The name of this run.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None], lock: Callable[[int], LockState] = acquire) -> None:
        self._folder = folder
        self._lock = lock
        self.own = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_private(folder, warn)
        self._handle: int | None = None
        self.renew()

    def lives(self, run: str) -> bool:
        """Whether a run has not ended."""
        if run == self.own:
            return self._handle is not None
        return _NAME.fullmatch(run) is not None and self._other_lives(run)

    def _other_lives(self, run: str) -> bool:
        try:
            handle = os.open(self._file(run), _FLAGS)
        except FileNotFoundError:
            return False
        except OSError:  # another user's, perhaps
            return self._was_written_lately(run)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            state = self._lock(file.fileno())
            record = _read(file.fileno())
        if record is not None and record.host != platform.node() and state is not LockState.HELD_ELSEWHERE:
            return self._was_written_lately(run)
        if state is LockState.UNSUPPORTED:  # without a record the file is only a moment old
            return record is None or _exists(record)
        return state is LockState.HELD_ELSEWHERE

    def beat(self) -> None:
        """Show runs on other computers that this one lives."""
        with contextlib.suppress(OSError):
            os.utime(self._file(self.own))

    def renew(self) -> None:
        """Create and lock this run's file, also when somebody deleted it; raises OSError."""
        if self._handle is not None and self._file(self.own).exists():
            return
        former, path = self._handle, self._file(self.own)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle = os.open(path, _FLAGS | os.O_CREAT, 0o600)
        self._lock(self._handle)
        record = _Record(platform.node(), os.getpid(), time.time())
        os.write(self._handle, msgspec.json.encode(record))
        if former is not None:
            os.close(former)

    def sweep(self) -> None:
        """Remove the files of runs that were killed."""
        for path in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _YOUNG_S and not self.lives(path.stem):
                    path.unlink()

    def end(self) -> None:
        """Release this run's lock; it can be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                self._file(self.own).unlink()
            os.close(handle)

    def _was_written_lately(self, run: str) -> bool:
        try:
            return time.time() - self._file(run).stat().st_mtime < _SILENT_S
        except OSError:
            return False

    def _file(self, run: str) -> Path:
        return self._folder / f"{run}.lock"


def _read(handle: int) -> _Record | None:
    try:
        return msgspec.json.decode(os.read(handle, 4096), type=_Record)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _exists(record: _Record) -> bool:
    """Whether the process that wrote a record still runs; another one may have got its number since."""
    import psutil

    try:
        return bool(psutil.Process(record.pid).create_time() <= record.at + _CLOCK_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
