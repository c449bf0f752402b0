"""Which runs of the command are alive.

Each run holds a lock on its own file in ``runs/``, which the system releases when the process ends. Where the file
system has no locks, or locks that other computers do not see, the record in the file decides: on the same computer
whether the process exists, on another one when it last wrote.
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
"""A lock file is created shortly before it is locked: younger ones are not removed."""
_SILENT_S: Final = 3600.0
"""A run on another computer counts as alive if it wrote within this time; no paid call takes that long."""
_CLOCK_S: Final = 10.0
"""Allowed difference between the start time of a process and the time in its record, in seconds."""
_FLAGS: Final = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Non-blocking: opening a FIFO that has the name of a lock file must not hang."""
_NAME: Final = re.compile(r"[0-9a-f]{16}")


class _Record(msgspec.Struct, frozen=True):
    """Content of a lock file.

    Attributes:
        host: Host name.
        pid: Process id.
        at: When the record was written, in seconds since 1970.
    """

    host: str
    pid: int
    at: float


class Runs:
    """The lock files in a folder, one of them this run's own.

    Args:
        folder: The folder; created if missing.
        warn: Called if other users could read the folder.
        lock: Locks an open file; tests pass functions that behave like other file systems.
        read_only: Only look up other runs: create neither the folder nor a lock file.

    Attributes:
        own: Id of this run.
    """

    def __init__(
        self,
        folder: Path,
        warn: Callable[[str], None],
        lock: Callable[[int], LockState] = acquire,
        *,
        read_only: bool = False,
    ) -> None:
        self._folder = folder
        self._lock = lock
        self.own = secrets.token_hex(8)
        self._handle: int | None = None
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_private(folder, warn)
            self.renew()

    def is_alive(self, run: str) -> bool:
        """Whether a run has not ended."""
        if run == self.own:
            return self._handle is not None
        return _NAME.fullmatch(run) is not None and self._is_other_alive(run)

    def _is_other_alive(self, run: str) -> bool:
        try:
            handle = os.open(self._file(run), _FLAGS)
        except FileNotFoundError:
            return False
        except OSError:  # it may belong to another user
            return self._was_written_recently(run)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            state = self._lock(file.fileno())
            record = _read(file.fileno())
        if record is not None and record.host != platform.node() and state is not LockState.HELD_ELSEWHERE:
            return self._was_written_recently(run)
        if state is LockState.UNSUPPORTED:  # a file without a record was created just now
            return record is None or _exists(record)
        return state is LockState.HELD_ELSEWHERE

    def touch(self) -> None:
        """Update the lock file's time, which shows runs on other computers that this one is alive."""
        with contextlib.suppress(OSError):
            os.utime(self._file(self.own))

    def renew(self) -> None:
        """Create and lock this run's file, unless it exists; raises OSError."""
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

    def remove_stale(self) -> None:
        """Remove the files of runs that were killed."""
        for path in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _YOUNG_S and not self.is_alive(path.stem):
                    path.unlink()

    def release(self) -> None:
        """Release this run's lock; a second call does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)  # first: Windows does not remove an open file
            with contextlib.suppress(OSError):
                self._file(self.own).unlink()

    def _was_written_recently(self, run: str) -> bool:
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
    """Whether the process that wrote a record exists; one that started later only has the same id."""
    import psutil

    try:
        return bool(psutil.Process(record.pid).create_time() <= record.at + _CLOCK_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
