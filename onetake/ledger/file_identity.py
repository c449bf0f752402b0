"""Which file is the ledger: the record beside it that there is one, and whether the open file still has the name."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from onetake.errors import LedgerFailed
from onetake.ledger.failures import NotInPlace, shown

IDENTITY_NAME: Final = "ledger.id"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_TEXT: Final = """{id}
This is the identity of the ledger in this folder: it makes onetake notice when the ledger is deleted or replaced.
To start with an empty ledger on purpose, delete this file as well.
"""


def new_identity() -> str:
    """A random name for a new ledger."""
    return secrets.token_hex(16)


class IdentityRecord:
    """The file that stays when only the ledger is deleted, replaced or emptied.

    Args:
        ledger: The ledger beside which it lies.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self.path = ledger.parent / IDENTITY_NAME

    def read(self) -> str | None:
        """The identity of the ledger that belongs here; None where none was recorded, or it is not readable."""
        try:
            line = self.path.read_bytes()[:32].decode("ascii", "replace")
        except FileNotFoundError:
            return None
        return line if _ID.fullmatch(line) else None

    def write(self, identity: str) -> None:
        """Record it; other processes see the old content or the new one, never a part."""
        temporary = self.path.with_name(f"{IDENTITY_NAME}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(_TEXT.format(id=identity))
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o600)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def require_new(self) -> None:
        """Refuse to create a ledger where there was one.

        Raises:
            LedgerFailed: It was deleted or moved.
        """
        log = with_suffix(self._ledger, "-wal")
        if self.path.exists():
            trace = self.path
        elif log.exists() and log.stat().st_size:
            trace = log
        else:
            return
        raise LedgerFailed(
            f"{shown(self._ledger)} is missing, but {trace.name} beside it says that there was one",
            f"restore it from a backup. To start with an empty ledger, delete {str(trace)!r}: recordings that were "
            "cloned before are then paid for again",
        )

    def require_same(self, identity: str) -> None:
        """Compare it with the identity that the ledger itself holds; where none was recorded, record it.

        Raises:
            LedgerFailed: The ledger is another one.
        """
        recorded = self.read()
        if recorded is None:
            self.write(identity)
        elif recorded != identity:
            raise LedgerFailed(
                f"{shown(self._ledger)} is not the ledger that was here before: its identity is {identity}, "
                f"{IDENTITY_NAME} says {recorded}",
                f"put the former one back. If you replaced it on purpose, delete {str(self.path)!r}",
            )


class FilesInPlace(NamedTuple):
    """The device and number of the ledger's files: which files SQLite has open, as far as names lead to them.

    Attributes:
        ledger: Of the file itself.
        log: Of the write-ahead log; None where there is none.
        shared_index: Of the log's index, which processes share as memory; None where there is none.
    """

    ledger: tuple[int, int]
    log: tuple[int, int] | None
    shared_index: tuple[int, int] | None

    @classmethod
    def now(cls, path: Path) -> FilesInPlace:
        """Those that the names lead to at this moment.

        Raises:
            NotInPlace: There is no ledger, or it is empty.
        """
        # only by name: closing a handle of a file would release the locks that SQLite holds on it (POSIX)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NotInPlace(f"{shown(path)} was deleted or moved while it was in use", _BY_OTHERS) from None
        if found.st_size == 0:
            raise NotInPlace(f"{shown(path)} was emptied (0 bytes) while it was in use", _BY_OTHERS)
        logs = (number_of(with_suffix(path, suffix)) for suffix in ("-wal", "-shm"))
        return cls((found.st_dev, found.st_ino), *logs)

    def require_in_place(self, path: Path) -> None:
        """Compare them with those that the names lead to now.

        Raises:
            NotInPlace: One was deleted, moved, replaced or emptied.
        """
        now = FilesInPlace.now(path)
        if now.ledger != self.ledger:
            raise NotInPlace(f"{shown(path)} was replaced by another file while it was in use", _BY_OTHERS)
        if now != self:
            raise NotInPlace(f"the log of {shown(path)} was deleted or replaced while it was in use", _BY_OTHERS)


_BY_OTHERS: Final = "find out which program did that (a cleaner, a backup or a synchronization?), then run this again"


def with_suffix(path: Path, suffix: str) -> Path:
    """The companion that SQLite keeps beside a file."""
    return path.with_name(path.name + suffix)


def number_of(path: Path) -> tuple[int, int] | None:
    """Device and number of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
