"""Errors of SQLite and the system about the ledger, as one message and a hint."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from typing import TYPE_CHECKING, Final

from onetake.errors import LedgerFailed
from onetake.resource_errors import resource_hint

if TYPE_CHECKING:
    from pathlib import Path

_SPACE: Final = "free disk space, or set ONETAKE_HOME"
_READ_ONLY: Final = "the disk is read-only: set ONETAKE_HOME to a folder on another one"
_PERMISSIONS: Final = "change its permissions, or set ONETAKE_HOME to a folder of your own"
_HINTS: Final = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), _PERMISSIONS),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file has the name of its folder: move it, or set ONETAKE_HOME"),
    errno.EISDIR: "a folder has its name: move it, or set ONETAKE_HOME",
}
_DAMAGE: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_SCHEMA")
"""SQLITE_ERROR: the statements are constant, so a missing table or column means that the schema is damaged."""


class NotInPlace(LedgerFailed):
    """The open file is no longer the file with the ledger's name."""


class DamagedRow(Exception):
    """A row holds a value that onetake never writes."""


def hint_for(error: OSError) -> str:
    """Return what to do when the ledger, or a file beside it, cannot be written."""
    usual = "check the disk, or set ONETAKE_HOME"
    return resource_hint(error, "ONETAKE_HOME") or _HINTS.get(error.errno or 0, usual)


def shown(path: Path) -> str:
    """Return the ledger's name for messages."""
    return f"the ledger {str(path)!r}"


def damaged(path: Path, detail: str = "") -> LedgerFailed:
    """Return the error for a ledger whose content is not what onetake wrote."""
    reason = f" ({detail})" if detail else ""
    return LedgerFailed(
        f"{shown(path)} is damaged or not a ledger{reason}",
        "restore a backup; or recover it (sqlite3 OLD .recover | sqlite3 NEW), and add missing voices with "
        "`onetake voices settle`. Nothing is paid for until then",
    )


def explained(error: Exception, path: Path, wait_s: float) -> LedgerFailed:
    """Return the error to raise for an error of SQLite, the system or a conversion."""
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
        f"{shown(path)} was locked by another process for {wait_s:g} s", "wait until it ends, then run this again"
    )


def _is_read_only_disk(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _owner(path: Path) -> int | None:
    """Return the user id of the file's owner, if it is another user."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return None
    return owner if sys.platform != "win32" and owner != os.geteuid() else None


def not_writable(path: Path) -> LedgerFailed:
    """Return the error for a ledger that cannot be written, with the reason."""
    if _is_read_only_disk(path):
        return LedgerFailed(f"{shown(path)} cannot be written: the file system is read-only", _READ_ONLY)
    owner = _owner(path)
    whose = "" if owner is None else f" (it belongs to the user with id {owner})"
    return LedgerFailed(f"{shown(path)} cannot be written: permission denied{whose}", _PERMISSIONS)


EXPLAINED: Final = (sqlite3.Error, OSError, UnicodeError, DamagedRow)
"""The errors that `explained` accepts."""
