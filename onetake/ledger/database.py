"""The file: opened once, one writer at a time, checked before it is believed, and every failure in clear words.

A write counts only when it is in the file that has the ledger's name: each transaction looks before and after whether
that is still the file that SQLite has open. A program that cleans, restores or synchronizes folders may delete,
replace or empty it at any moment, and SQLite goes on with the file that it opened, which nobody finds later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from onetake.errors import LedgerFailed
from onetake.io.permissions import make_private
from onetake.ledger.failures import EXPLAINED, NotInPlace, damaged, explained, not_writable, shown
from onetake.ledger.file_identity import FilesInPlace, IdentityRecord, new_identity, with_suffix
from onetake.ledger.restoration import Memory, clear_place, merge, surviving_rows
from onetake.ledger.rows import record_of
from onetake.ledger.schema import MIGRATIONS, create_file, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import msgspec

    from onetake.ledger.restoration import Rows

_Record = TypeVar("_Record", bound="msgspec.Struct")
_Result = TypeVar("_Result")


class Database:
    """A connection that threads share; each transaction has it alone.

    Args:
        path: The file; created when there never was one, as is its folder.
        wait_s: For how long another process may keep it busy.
        warn: Called with what was repaired.

    Attributes:
        identity: The random name of this ledger, which copies of it share.
        memory: What this run wrote, for the case that the file vanishes.
        on_restored: Called after the ledger was written again.

    Raises:
        LedgerFailed: It cannot be opened, is damaged, missing, not a ledger, or newer than this version.
    """

    def __init__(self, path: Path, wait_s: float, warn: Callable[[str], None]) -> None:
        self.path = path
        self.identity = new_identity()
        self.memory = Memory()
        self.on_restored: Callable[[], None] = lambda: None
        self._wait_s = wait_s
        self._warn = warn
        self._lock = threading.RLock()
        self._rescue_name = f"{time.time_ns()}"
        self._verified: tuple[int, int] | None = None
        with self._explained():
            self._connection = self._open()

    def close(self) -> None:
        """Close it; it can be called twice."""
        with self._lock, self._explained():
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; when the block has ended it is on disk, in the file that has the ledger's name.

        Raises:
            LedgerFailed: It could not be written.
        """
        with self._lock, self._explained():
            self._files.require_in_place(self.path)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._files.require_in_place(self.path)

    def write_paid(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """A transaction for what must not be lost: a ledger that vanished is written again first.

        Args:
            work: Writes; it may be called a second time, in another file.

        Raises:
            LedgerFailed: It could not be written.
        """
        with self._lock:
            try:
                with self.transaction() as connection:
                    return work(connection)
            except NotInPlace as error:
                self._write_again()
                self._warn(f"{error.message}; it was written again with what this run knows")
            with self.transaction() as connection:
                return work(connection)

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds; raises `LedgerFailed`."""
        with self._lock, self._explained():
            self._files.require_in_place(self.path)
            return self._connection.execute(statement, values).fetchall()

    def records(self, kind: type[_Record], statement: str, *values: object) -> list[_Record]:
        """What a query finds, as records; raises `LedgerFailed`."""
        with self._explained():
            return [record_of(row, kind) for row in self.rows(statement, *values)]

    def require_in_place(self) -> None:
        """Raises `LedgerFailed` when the open file is not the one that has the ledger's name."""
        with self._explained():
            self._files.require_in_place(self.path)

    def require_stored(self, statement: str, *values: object) -> None:
        """Read by the file's name, as the next run will, that a row is there.

        Raises:
            LedgerFailed: A query finds nothing, or the file was damaged meanwhile.
        """
        with self._lock, self._explained():
            self._files.require_in_place(self.path)
            found = self.path.stat()
            connection = self._connect(read_only=True)
            with contextlib.closing(connection):
                if self._verified != (found.st_size, found.st_mtime_ns):  # it changes at checkpoints only
                    self._require_sound(connection)
                    self._verified = (found.st_size, found.st_mtime_ns)
                if connection.execute(statement, values).fetchone() is None:
                    raise NotInPlace(f"{shown(self.path)} does not hold what was just written", "run this again")

    def require_sound(self) -> None:
        """Read all of it; raises `LedgerFailed` where it is damaged."""
        with self._lock, self._explained():
            self._require_sound(self._connection)

    def shrink(self) -> bool:
        """Overwrite what was deleted, in the file and in its log; False when another process still reads it.

        Raises:
            LedgerFailed: It could not be written.
        """
        with self._lock, self._explained():
            self._connection.execute("VACUUM")
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def _open(self) -> sqlite3.Connection:
        record = IdentityRecord(self.path)
        if not self.path.parent.is_dir():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            record.require_new()
            create_file(self.path, self.identity)
        self._require_usable_file()
        for part in (self.path.parent, self.path, with_suffix(self.path, "-wal"), with_suffix(self.path, "-shm")):
            make_private(part, self._warn)
        self._require_fitting_log()
        connection = self._connect()
        try:
            self._prepare(connection)
            record.require_same(self.identity)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_usable_file(self) -> None:
        """SQLite would open a file that it may not write, and take an empty one for a new one."""
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not self.path.is_file():
            raise damaged(self.path, "it is not a regular file")
        if self.path.stat().st_size == 0:
            raise damaged(self.path, "it is empty, 0 bytes")
        if not os.access(self.path, os.R_OK | os.W_OK):
            raise not_writable(self.path)

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        # SQLite gives the two companions of a file its mode and, for root, its owner
        uri = self.path.absolute().as_uri()
        if not uri.startswith("file:///"):  # a Windows share: SQLite takes no host in a URI, but an empty one
            uri = uri.replace("file://", "file:////", 1)
        connection = sqlite3.connect(
            f"{uri}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            timeout=self._wait_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _require_fitting_log(self) -> None:
        """A log that a killed run left is applied when the file is opened; that of another file would destroy it."""
        log = with_suffix(self.path, "-wal")
        if not (log.is_file() and log.stat().st_size):
            return
        with contextlib.closing(self._connect(read_only=True)) as connection:  # which applies nothing
            try:
                self._require_sound(connection)
            except LedgerFailed as error:
                error.hint = f"if you restored {self.path.name} from a backup, delete {log.name}; else {error.hint}"
                raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise LedgerFailed(f"{shown(self.path)} was written by a newer version of onetake", "use that version")
        if version < 1:
            raise damaged(self.path, "it is another program's database")
        settings = ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON")
        for setting in (*settings, "secure_delete = ON", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        self._require_sound(connection)
        migrate(connection)
        identities = connection.execute("SELECT id FROM ledger").fetchall()
        if len(identities) != 1:
            raise damaged(self.path, "it has no identity")
        self.identity = str(identities[0][0])
        self._files = FilesInPlace.now(self.path)

    def _require_sound(self, connection: sqlite3.Connection) -> None:
        # not quick_check: a recording is looked up in an index, which must not contradict its table
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
        except sqlite3.DatabaseError as error:
            raise explained(error, self.path, self._wait_s) from error
        if tuple(found) != ("ok",):
            raise damaged(self.path, str(found[0]))
        if dangling is not None:
            raise damaged(self.path, "a row refers to one that is missing")

    def _write_again(self) -> None:
        """Put a ledger in place that holds what the open file held, or at least what this run wrote.

        Raises:
            LedgerFailed: Something else is in its place, or it cannot be written.
        """
        with self._explained():
            former, expected = self._connection, self.identity
            rows = surviving_rows(former) or self.memory.rows()
            if clear_place(self.path, self._files):
                create_file(self.path, expected)
            elif FilesInPlace.now(self.path).ledger == self._files.ledger:
                former.close()  # only its log is gone: SQLite writes that into the file now
            connection = self._connect()
            try:
                self._prepare(connection)
                if self.identity != expected:
                    self._rescue(rows)
                merge(connection, rows if self.identity == expected else self.memory.rows(), set(self.memory.calls))
            except (LedgerFailed, *EXPLAINED):
                connection.close()
                self._rescue(rows)
                raise
            former.close()
            self._connection = connection
            record = IdentityRecord(self.path)
            if record.read() is None:
                record.write(self.identity)
            self.on_restored()

    def _rescue(self, rows: Rows) -> None:
        """Keep rows in a file of their own, since something else is in the ledger's place."""
        place = self.path.with_name(f"{self.path.stem}.rescued-{self._rescue_name}{self.path.suffix}")
        if not place.exists():
            create_file(place, new_identity())
            self._warn(f"what {shown(self.path)} held before is now in {str(place)!r}")
        with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            merge(connection, rows, set(self.memory.calls))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite, the system and conversions raise into one message and a hint."""
        try:
            yield
        except EXPLAINED as error:
            raise explained(error, self.path, self._wait_s) from error
