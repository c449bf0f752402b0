"""Open SQLite connections to the ledger, and check file and content before they are used."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from onetake.errors import LedgerFailed
from onetake.ledger.file_identity import with_suffix
from onetake.ledger.sqlite_failures import damaged, explained, not_writable, shown
from onetake.ledger.sqlite_schema import MIGRATIONS, migrate

if TYPE_CHECKING:
    from pathlib import Path


def connect(path: Path, wait_s: float, *, read_only: bool = False) -> sqlite3.Connection:
    """Open an existing ledger.

    Args:
        path: The ledger.
        wait_s: How long to wait for a lock of another process.
        read_only: Write nothing.
    """
    # SQLite gives the -wal and -shm files the mode of the ledger and, for root, its owner
    uri = path.absolute().as_uri()
    if not uri.startswith("file:///"):  # a Windows share: SQLite accepts only an empty host in a URI
        uri = uri.replace("file://", "file:////", 1)
    options = "mode=ro" if read_only else "mode=rw"
    if read_only and not _has_log(path):
        options += "&immutable=1"  # otherwise SQLite creates -wal and -shm files even to read (sqlite.org/wal.html)
    connection = sqlite3.connect(
        f"{uri}?{options}", uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def configure(connection: sqlite3.Connection) -> None:
    """Set what the ledger needs of a connection: each transaction is on disk, and deleted content is overwritten."""
    settings = ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON")
    for setting in (*settings, "secure_delete = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {setting}").fetchall()


def copy_in_memory(path: Path, wait_s: float) -> sqlite3.Connection:
    """Return a checked copy of a ledger in memory, brought up to date there; an empty ledger if the file is missing."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    copy.row_factory = sqlite3.Row
    try:
        if path.exists():
            require_usable_file(path, os.R_OK)
            require_fitting_log(path, wait_s)
            with contextlib.closing(connect(path, wait_s, read_only=True)) as connection:
                connection.backup(copy)
            require_version(copy, path)
            require_sound(copy, path, wait_s)
        migrate(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def require_usable_file(path: Path, access: int = os.R_OK | os.W_OK) -> None:
    """Check what SQLite does not: it opens files that it may not write, and treats empty files as new."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not path.is_file():
        raise damaged(path, "it is not a regular file")
    if path.stat().st_size == 0:
        raise damaged(path, "it is empty, 0 bytes")
    if not os.access(path, access):
        raise not_writable(path)


def require_fitting_log(path: Path, wait_s: float) -> None:
    """Refuse a write-ahead log that belongs to another file: SQLite would apply it, and destroy the ledger."""
    if not _has_log(path):
        return
    log = with_suffix(path, "-wal")
    with contextlib.closing(connect(path, wait_s, read_only=True)) as connection:  # read-only: applies nothing
        try:
            require_sound(connection, path, wait_s)
        except LedgerFailed as error:
            error.hint = f"if you restored {path.name} from a backup, delete {log.name}; else {error.hint}"
            raise


def require_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another program's database, and a ledger of a newer version; raises `LedgerFailed`."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise LedgerFailed(f"{shown(path)} was written by a newer version of onetake", "use that version")
    if version < 1:
        raise damaged(path, "it is another program's database")


def require_sound(connection: sqlite3.Connection, path: Path, wait_s: float) -> None:
    """Run SQLite's integrity check; raises `LedgerFailed`."""
    # not quick_check, which skips the indexes: recordings are looked up in one, and it must agree with its table
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()
        dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise explained(error, path, wait_s) from error
    if tuple(found) != ("ok",):
        raise damaged(path, str(found[0]))
    if dangling is not None:
        raise damaged(path, "a row refers to one that is missing")


def stored_identity(connection: sqlite3.Connection, path: Path) -> str:
    """Return the identity inside a ledger; raises `LedgerFailed` if it is missing."""
    identities = connection.execute("SELECT id FROM ledger").fetchall()
    if len(identities) != 1:
        raise damaged(path, "it has no identity")
    return str(identities[0][0])


def _has_log(path: Path) -> bool:
    log = with_suffix(path, "-wal")
    return log.is_file() and log.stat().st_size > 0
