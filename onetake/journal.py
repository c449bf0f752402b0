"""The journal: every paid call is written down before it is made, and its answer before anything else is done.

One JSON object a line in ``clones.jsonl``, only readable by its owner. No secret and no URL's query is in it.
"""

from __future__ import annotations

import errno
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.errors import JournalFailed

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "clones.jsonl"


class Journal:
    """An append-only record.

    Args:
        folder: Where it is kept; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def attempt(self, **facts: Any) -> str:
        """Write down that a paid call is about to be made, and return the attempt's name.

        Raises:
            JournalFailed: It could not be written, so the call must not be made.
        """
        name = secrets.token_hex(8)
        self._append({"event": "attempt", "attempt": name, **facts})
        return name

    def outcome(self, attempt: str, event: str, **facts: Any) -> None:
        """Write down how a paid call ended: ``voice``, ``refused`` or ``unknown``.

        Raises:
            JournalFailed: It could not be written.
        """
        self._append({"event": event, "attempt": attempt, **facts})

    def require_writable(self) -> None:
        """Make sure, before anything is sent, that an attempt can be written down.

        Raises:
            JournalFailed: It cannot.
        """
        self._write(b"")

    def _append(self, entry: dict[str, Any]) -> None:
        self._write(msgspec.json.encode({"at": datetime.now(UTC), **entry}) + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if (written := os.write(handle, line)) != len(line):
                    os.ftruncate(handle, os.fstat(handle).st_size - written)  # half a line would spoil the next one
                    raise OSError(errno.ENOSPC, "the disk is full")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise JournalFailed(
                f"{str(self.path)!r} cannot be written: {reason}", "free some space, or set ONETAKE_HOME"
            ) from error
