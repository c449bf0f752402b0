"""The file: opened once, only readable by its owner, one writer at a time, and every failure in clear words."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final

from onetake.errors import LedgerFailed
from onetake.ledger.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPACE: Final = "free some space, or set ONETAKE_HOME"
_HINTS: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions, or set ONETAKE_HOME to a folder of your own"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is in its folder's place: move it, or set ONETAKE_HOME"),
    errno.EISDIR: "a folder is in its place: move it, or set ONETAKE_HOME",
    errno.EROFS: "the disk can only be read: set ONETAKE_HOME to a folder on another one",
}


def hint_for(error: OSError) -> str:
    """What to do when the ledger, or what lies beside it, cannot be written."""
    return _HINTS.get(error.errno or 0, "check the disk, or set ONETAKE_HOME")


class Database:
    """A connection that threads share; each transaction has it alone.

    Args:
        path: The file; made when it is missing, as is its folder.
        wait_s: For how long another process may keep it busy.

    Raises:
        LedgerFailed: It cannot be opened, is no ledger, or is newer than this version.
    """

    def __init__(self, path: Path, wait_s: float) -> None:
        self.path = path
        self._wait_s = wait_s
        self._lock = threading.Lock()
        with self._told():
            self._connection = self._open()
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close it; it can be called twice."""
        with self._lock, self._told():
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when the block has ended.

        Raises:
            LedgerFailed: It could not be written.
        """
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds; raises `LedgerFailed`."""
        with self._lock, self._told():
            return self._connection.execute(statement, values).fetchall()

    def require_sound(self) -> None:
        """Read all of it.

        Raises:
            LedgerFailed: It is damaged, perhaps where nothing else has looked.
        """
        if [tuple(row) for row in self.rows("PRAGMA quick_check(1)")] != [("ok",)]:
            raise LedgerFailed(*self._damaged)

    def _open(self) -> sqlite3.Connection:
        if not self.path.parent.is_dir():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives its two companion files the mode of the first one
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, timeout=self._wait_s, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self) -> None:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {setting}")
        if self._version() > len(MIGRATIONS):
            raise LedgerFailed(f"{self._shown} was written by a newer version of onetake", "use that version")
        while self._version() < len(MIGRATIONS):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                # asked again: another process may have been here first
                if (version := self._version()) < len(MIGRATIONS):
                    MIGRATIONS[version](self._connection)
                    self._connection.execute(f"PRAGMA user_version = {version + 1}")
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @property
    def _shown(self) -> str:
        return f"the ledger {str(self.path)!r}"

    @property
    def _damaged(self) -> tuple[str, str]:
        return f"{self._shown} is damaged or no ledger", "move it aside, and look into it before you clone again"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one message and a hint."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerFailed(*self._explained(error)) from error

    def _explained(self, error: sqlite3.Error | OSError) -> tuple[str, str]:
        if isinstance(error, OSError):
            reason: Any = (error.strerror or str(error)).lower()
            return f"{self._shown} cannot be written: {reason}", hint_for(error)
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            what = f"{self._shown} was kept busy by another onetake for {self._wait_s:g} s"
            return what, "let that one end, then run this again"
        if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return self._damaged
        if code.startswith("SQLITE_FULL"):
            return f"{self._shown} cannot be written: the disk is full", _SPACE
        return f"{self._shown} cannot be used: {error}", "check its permissions and the disk, or set ONETAKE_HOME"
