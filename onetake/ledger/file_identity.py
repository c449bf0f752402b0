"""Which file is the ledger: its identity file and the mark of its last call, and whether the open file has its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final, NamedTuple

from onetake.errors import LedgerFailed
from onetake.ledger.sqlite_failures import NotInPlace, shown
from preflight.file_system import remove_file, replace_file, sync_file

IDENTITY_NAME: Final = "ledger.id"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_TEXT: Final = """{id}
This is the identity of the ledger in this folder: it makes onetake notice when the ledger is deleted or replaced.
To start with an empty ledger on purpose, delete this file as well.
"""
_CALL_ID: Final = re.compile(r"[0-9a-f]{16}")
_CALL_TEXT: Final = """{call}
This is the last paid call of the ledger in {folder}
It makes onetake notice when that ledger is deleted, or replaced by an older copy. It may be deleted.
"""


class IdentityRecord:
    """The identity file, which stays when only the ledger is deleted, replaced or emptied.

    Args:
        ledger: Path of the ledger beside it.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self.path = ledger.parent / IDENTITY_NAME

    def read(self) -> str | None:
        """Return the identity of the ledger that belongs here; None if none was stored, or it is unreadable."""
        try:
            line = self.path.read_bytes()[:32].decode("ascii", "replace")
        except FileNotFoundError:
            return None
        return line if _ID.fullmatch(line) else None

    def write(self, identity: str) -> None:
        """Write it atomically: other processes see the old content or the new one."""
        temporary = self.path.with_name(f"{IDENTITY_NAME}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(_TEXT.format(id=identity).encode())
                sync_file(file)
            temporary.chmod(0o600)
            replace_file(temporary, self.path)
        finally:
            remove_file(temporary)

    def require_new(self) -> None:
        """Refuse to create a ledger in a folder that had one.

        Raises:
            LedgerFailed: The ledger was deleted or moved.
        """
        log = with_suffix(self._ledger, "-wal")
        if self.path.exists():
            trace = self.path
        elif log.exists() and log.stat().st_size:
            trace = log
        else:
            return
        mark = CallMark(self._ledger)
        traces = " and ".join(repr(str(path)) for path in (trace, mark.path if mark.read() else None) if path)
        raise LedgerFailed(
            f"{shown(self._ledger)} is missing, but {trace.name} beside it shows that there was one",
            f"restore it from a backup. To start with an empty ledger, delete {traces}: recordings that were "
            "cloned before are then paid for again",
        )

    def require_same(self, identity: str) -> None:
        """Compare it with the identity inside the ledger; if none was stored, store it.

        Raises:
            LedgerFailed: It is another ledger.
        """
        recorded = self.read()
        if recorded is None:
            self.write(identity)
        elif recorded != identity:
            raise LedgerFailed(
                f"{shown(self._ledger)} is not the ledger that was here before: its identity is {identity}, "
                f"{IDENTITY_NAME} says {recorded}",
                f"restore the previous one. If you replaced it on purpose, delete {str(self.path)!r}",
            )


class CallMark:
    """The file that holds the id of the last paid call of the ledger at one place, outside its folder.

    It shows that the folder was deleted or replaced by an older copy. A cleaner may delete the whole folder, the
    identity file included, and a backup, a snapshot or a synchronization may replace it. The calls that are missing
    then would be paid for again. The mark is in the user's cache folder, which backups leave out. Without it, or if it
    cannot be read or written, nothing is compared.

    Args:
        ledger: Path of the ledger. A copy that is used elsewhere has a mark of its own.
    """

    def __init__(self, ledger: Path) -> None:
        from platformdirs import user_cache_path

        self._ledger = ledger.resolve()
        name = hashlib.sha256(str(self._ledger).encode(errors="surrogateescape")).hexdigest()[:32]
        # without an author, the folder is not inside the default folder of the ledger on Windows either
        self.path = user_cache_path("onetake", appauthor=False) / "last-calls" / name

    def read(self) -> str | None:
        """Return the id of the last call; None if there is no mark that can be read."""
        try:
            with self.path.open("rb") as file:
                call = file.read(16).decode("ascii", "replace")
        except OSError:
            return None
        return call if _CALL_ID.fullmatch(call) else None

    def write(self, call: str) -> None:
        """Store the id of a call that is in the ledger; if the folder cannot be written, nothing is stored."""
        if not self.path.is_absolute():
            return  # the user has no home folder
        temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        content = _CALL_TEXT.format(call=call, folder=repr(str(self._ledger.parent))).encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                replace_file(temporary, self.path)
            finally:
                remove_file(temporary)

    def missing_call(self) -> LedgerFailed:
        """Return the error for a ledger that lacks the call."""
        return LedgerFailed(
            f"{shown(self._ledger)} is new or an older copy: it lacks the last paid call of the ledger that was here",
            "restore the previous ledger. To continue with this one, "
            f"delete {str(self.path)!r}: recordings that were cloned since then are paid for again",
        )


class FilesInPlace(NamedTuple):
    """Device and inode numbers of the ledger's files, as found by their names.

    Attributes:
        ledger: The file itself.
        log: The write-ahead log (-wal); None if there is none.
        shared_index: The index of the log, which processes map as shared memory (-shm); None if there is none.
    """

    ledger: tuple[int, int]
    log: tuple[int, int] | None
    shared_index: tuple[int, int] | None

    @classmethod
    def now(cls, path: Path) -> FilesInPlace:
        """Return the numbers of the files that have the names now.

        Raises:
            NotInPlace: There is no ledger, or it is empty.
        """
        # stat by name: closing a descriptor would release the locks that SQLite holds on the file (POSIX fcntl locks)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NotInPlace(f"{shown(path)} was deleted or moved while it was in use", _BY_OTHERS) from None
        if found.st_size == 0:
            raise NotInPlace(f"{shown(path)} was emptied (0 bytes) while it was in use", _BY_OTHERS)
        logs = (number_of(with_suffix(path, suffix)) for suffix in ("-wal", "-shm"))
        return cls((found.st_dev, found.st_ino), *logs)

    def require_in_place(self, path: Path) -> None:
        """Compare them with the files that have the names now.

        Raises:
            NotInPlace: One was deleted, moved, replaced or emptied.
        """
        now = FilesInPlace.now(path)
        if now.ledger != self.ledger:
            raise NotInPlace(f"{shown(path)} was replaced by another file while it was in use", _BY_OTHERS)
        if now != self:
            raise NotInPlace(f"the log of {shown(path)} was deleted or replaced while it was in use", _BY_OTHERS)


def restore_index_size(path: Path, least_bytes: int) -> int:
    """Make the index of the log as long as it was, if another program shortened it, and return its length.

    SQLite maps the index into memory: its next access past the end of the file would end the process (SIGBUS). Zeros
    make SQLite build the index again from the log.

    Args:
        path: The ledger.
        least_bytes: How long the index was.

    Raises:
        OSError: It cannot be made longer.
    """
    index = with_suffix(path, "-shm")
    try:
        found = index.stat()
    except OSError:
        return least_bytes  # deleted: what is mapped stays as it is
    if found.st_size < least_bytes and stat.S_ISREG(found.st_mode):
        # by name, because closing a descriptor would release SQLite's locks; no part of the former content may remain
        os.truncate(index, 0)
        os.truncate(index, least_bytes)
    return max(found.st_size, least_bytes)


_BY_OTHERS: Final = "find out which program did that (a cleaner, a backup or a synchronization?), then run this again"


def with_suffix(path: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps beside a database."""
    return path.with_name(path.name + suffix)


def number_of(path: Path) -> tuple[int, int] | None:
    """Return the device and inode number of a file, or None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
