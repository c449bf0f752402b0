"""What SQLite and the system report about the ledger, as one message and a hint."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from onetake.errors import LedgerFailed

if TYPE_CHECKING:
    from pathlib import Path

_SPACE: Final = "free some space, or set ONETAKE_HOME"
_READ_ONLY: Final = "the disk is read-only: set ONETAKE_HOME to a folder on another one"
_PERMISSIONS: Final = "change its permissions, or set ONETAKE_HOME to a folder of your own"
_HINTS: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _PERMISSIONS),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is in its folder's place: move it, or set ONETAKE_HOME"),
    errno.EISDIR: "a folder is in its place: move it, or set ONETAKE_HOME",
    errno.EROFS: _READ_ONLY,
}
_DAMAGE: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_SCHEMA")
"""SQLITE_ERROR: our statements are constant, so a missing table or column means that the schema was damaged."""


class NotInPlace(LedgerFailed):
    """The file that was opened is not the file that has the ledger's name any more."""


class DamagedRow(Exception):
    """A row holds a value that onetake never writes."""


def hint_for(error: OSError) -> str:
    """What to do when the ledger, or a file beside it, cannot be written."""
    return _HINTS.get(error.errno or 0, "check the disk, or set ONETAKE_HOME")


def shown(path: Path) -> str:
    """The ledger as messages name it."""
    return f"the ledger {str(path)!r}"


def damaged(path: Path, detail: str = "") -> LedgerFailed:
    """The error for a ledger whose content is not what onetake wrote."""
    reason = f" ({detail})" if detail else ""
    return LedgerFailed(
        f"{shown(path)} is damaged or not a ledger{reason}",
        "restore a backup of it; or salvage it (sqlite3 OLD .recover | sqlite3 NEW), and record voices that are "
        "missing then with `onetake voices settle`. Nothing is paid for until then",
    )


def explained(error: Exception, path: Path, wait_s: float) -> LedgerFailed:
    """The error to raise instead of what SQLite, the system or a conversion raised."""
    if isinstance(error, OSError):
        return LedgerFailed(
            f"{shown(path)} cannot be written: {(error.strerror or str(error)).lower()}", hint_for(error)
        )
    if isinstance(error, DamagedRow | UnicodeError):
        return damaged(path, str(error) if isinstance(error, DamagedRow) else "text that is not UTF-8")
    return _explained_code(getattr(error, "sqlite_errorname", "") or "", str(error), path, wait_s)


def _explained_code(code: str, text: str, path: Path, wait_s: float) -> LedgerFailed:
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return _busy(path, wait_s)
    if code.startswith(_DAMAGE) or "decode to UTF-8" in text:
        return damaged(path, text)
    if code.startswith("SQLITE_FULL"):
        return LedgerFailed(f"{shown(path)} cannot be written: the disk is full", _SPACE)
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return not_writable(path)
    return LedgerFailed(
        f"{shown(path)} cannot be used: {text}", "check its permissions and the disk, or set ONETAKE_HOME"
    )


def _busy(path: Path, wait_s: float) -> LedgerFailed:
    from onetake.io.locks import locks_work_in

    if not locks_work_in(path.parent):  # SQLite reports a file system without locks as busy
        return LedgerFailed(
            f"{shown(path)} cannot be used: its file system has no file locks", "set ONETAKE_HOME to a local disk"
        )
    return LedgerFailed(
        f"{shown(path)} was kept busy by another process for {wait_s:g} s", "let that one end, then run this again"
    )


def _is_read_only_disk(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # Windows has no statvfs
        return False


def _owner(path: Path) -> int | None:
    """The user id of whoever owns the file, if that is somebody else."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return None
    return owner if hasattr(os, "geteuid") and owner != os.geteuid() else None


def not_writable(path: Path) -> LedgerFailed:
    """The error for a ledger that can be read at most, with the reason."""
    if _is_read_only_disk(path):
        return LedgerFailed(f"{shown(path)} cannot be written: the file system is read-only", _READ_ONLY)
    owner = _owner(path)
    whose = "" if owner is None else f" (it belongs to the user with id {owner})"
    return LedgerFailed(f"{shown(path)} cannot be written: permission denied{whose}", _PERMISSIONS)


EXPLAINED: Final = (sqlite3.Error, OSError, UnicodeError, DamagedRow)
"""What `explained` takes."""
