"""The SQLite database of the ledger: integrity-checked when it is opened, one writer at a time, errors with hints.

A program that cleans, restores or synchronizes folders may delete, replace or empty the file at any time. SQLite then
goes on writing to the file that it opened, which no later run can find. So each transaction checks before and after
that the open file still has the ledger's name.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from onetake.errors import LedgerFailed
from onetake.io.permissions import make_private
from onetake.ledger.file_identity import CallMark, FilesInPlace, IdentityRecord, restore_index_size, with_suffix
from onetake.ledger.restoration import Memory, clear_place, merge, surviving_rows
from onetake.ledger.rows import record_of
from onetake.ledger.sqlite_connection import (
    configure,
    connect,
    copy_in_memory,
    require_fitting_log,
    require_sound,
    require_usable_file,
    require_version,
    stored_identity,
)
from onetake.ledger.sqlite_failures import EXPLAINED, NotInPlace, explained, shown
from onetake.ledger.sqlite_schema import create_file, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import msgspec

    from onetake.ledger.restoration import Rows

_Record = TypeVar("_Record", bound="msgspec.Struct")
_Result = TypeVar("_Result")


class Database:
    """A connection that threads share; transactions exclude each other.

    Args:
        path: The file; it and its folder are created if there never was one.
        wait_s: How long to wait for a lock of another process.
        warn: Called after something was repaired.
        read_only: Work on a copy in memory; nothing is written to disk.

    Attributes:
        place: The path, for messages.
        identity: Random identifier of this ledger, which copies of it share.
        memory: The rows that this run wrote, in case the file disappears.
        on_restored: Called after the file was written again.

    Raises:
        LedgerFailed: It cannot be opened, is damaged, missing, not a ledger, or newer than this version.
    """

    leftovers = "another onetake is using the ledger: the deleted data stays in its log until that process ends"

    def __init__(self, path: Path, wait_s: float, warn: Callable[[str], None], *, read_only: bool = False) -> None:
        self.path, self.place = path, str(path)
        self.identity, self.memory = secrets.token_hex(16), Memory()
        self.on_restored: Callable[[], None] = lambda: None
        self._wait_s, self._warn = wait_s, warn
        self._lock, self._rescue_name = threading.RLock(), f"{time.time_ns()}"
        self._verified: tuple[int, int] | None = None
        self._files: FilesInPlace | None = None
        self._index_bytes, self._is_closed = 0, False
        self._call_before_copy: str | None = None
        with self._explained():
            self._connection = self._open_copy() if read_only else self._open()

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def server_time(self, moment: datetime) -> datetime:
        """Return the moment: the file is on this machine."""
        return moment

    def take_turn(self, limit: str, interval_s: float) -> None:
        """No rate limit is shared: other machines have ledgers of their own."""

    def pause(self, limit: str, seconds: float) -> None:
        """Do nothing, for the same reason."""

    def close(self) -> None:
        """Close it; a second call does nothing. Other threads that use it later get `LedgerFailed`."""
        with self._lock, self._explained():
            self._is_closed = True
            self._index_bytes = restore_index_size(self.path, self._index_bytes)
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction; after it, the changes are on disk, in the file that has the ledger's name.

        Raises:
            LedgerFailed: It could not be written.
        """
        with self._lock, self._explained():
            self._require_in_place()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._require_in_place()

    def write_paid(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run a transaction whose result must not be lost: a file that disappeared is written again first.

        Args:
            work: Writes the rows; it may be called a second time, for another file.

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
        """Return the rows of a query; raises `LedgerFailed`."""
        with self._lock, self._explained():
            self._require_in_place()
            return self._connection.execute(statement, values).fetchall()

    def records(self, kind: type[_Record], statement: str, *values: object) -> list[_Record]:
        """Return the rows of a query as records; raises `LedgerFailed`."""
        with self._explained():
            return [record_of(row, kind) for row in self.rows(statement, *values)]

    def require_in_place(self) -> None:
        """Raise `LedgerFailed` if the open file is not the one that has the ledger's name."""
        with self._explained():
            self._require_in_place()

    def require_stored(self, statement: str, *values: object) -> None:
        """Check through the file's name, as the next run will read it, that a row exists.

        Raises:
            LedgerFailed: The query finds nothing, or the file was damaged meanwhile.
        """
        with self._lock, self._explained():
            self._require_in_place()
            found = self.path.stat()
            connection = connect(self.path, self._wait_s, read_only=True)
            with contextlib.closing(connection):
                if self._verified != (found.st_size, found.st_mtime_ns):  # the file itself changes only at checkpoints
                    require_sound(connection, self.path, self._wait_s)
                    self._verified = (found.st_size, found.st_mtime_ns)
                if connection.execute(statement, values).fetchone() is None:
                    raise NotInPlace(f"{shown(self.path)} does not hold what was just written", "run this again")

    def require_latest(self) -> None:
        """Raise `LedgerFailed` if this is a new ledger or an older copy: it lacks the last call that was made here."""
        mark = CallMark(self.path)
        call = mark.read() if self._files is not None else self._call_before_copy
        if call is not None and not self.rows("SELECT 1 FROM calls WHERE id = ?", call):
            raise mark.missing_call()

    def mark_call(self, call: str) -> None:
        """Store outside the ledger's folder that the ledger contains a call, which is about to be sent."""
        CallMark(self.path).write(call)

    def require_sound(self) -> None:
        """Run an integrity check; raises `LedgerFailed` if the file is damaged."""
        with self._lock, self._explained():
            require_sound(self._connection, self.path, self._wait_s)

    def shrink(self) -> bool:
        """Overwrite deleted content in the file and its log; return False if another process still reads the log.

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
        require_usable_file(self.path)
        for part in (self.path.parent, self.path, with_suffix(self.path, "-wal"), with_suffix(self.path, "-shm")):
            make_private(part, self._warn)
        require_fitting_log(self.path, self._wait_s)
        connection = connect(self.path, self._wait_s)
        try:
            self._prepare(connection)
            record.require_same(self.identity)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_copy(self) -> sqlite3.Connection:
        """Return a copy in memory, brought up to date there; an empty ledger if there never was one."""
        record = IdentityRecord(self.path)
        if not self.path.exists():
            record.require_new()
        # before the copy is made: a run in progress may make a call, and mark it, at any time
        self._call_before_copy = CallMark(self.path).read()
        identity = record.read()
        copy = copy_in_memory(self.path, self._wait_s)
        self.identity = stored_identity(copy, self.path)
        if identity is not None:
            record.require_same(self.identity)
        return copy

    def _require_in_place(self) -> None:
        # a closed ledger no longer has a log: that must not be taken for an accident, after which it is written again
        if self._is_closed:
            raise LedgerFailed(f"{shown(self.path)} is closed: this run has ended", "run this again")
        if self._files is not None:
            self._index_bytes = restore_index_size(self.path, self._index_bytes)
            self._files.require_in_place(self.path)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        require_version(connection, self.path)
        configure(connection)
        require_sound(connection, self.path, self._wait_s)
        migrate(connection)
        self.identity = stored_identity(connection, self.path)
        self._files, self._index_bytes = FilesInPlace.now(self.path), restore_index_size(self.path, 0)

    def _write_again(self) -> None:
        """Write the ledger again, with the content of the open file, or at least with the rows that this run wrote.

        Raises:
            LedgerFailed: Another file has its name now, or it cannot be written.
        """
        with self._explained():
            self._index_bytes = restore_index_size(self.path, self._index_bytes)
            former, files, expected = self._connection, cast(FilesInPlace, self._files), self.identity
            rows = surviving_rows(former)
            if rows is None and self.path.exists() and self.path.stat().st_size == 0:
                former.close()  # an empty file is not compared by SQLite: later this would delete the new file's log
            rows = rows or self.memory.rows()
            if clear_place(self.path, files):
                create_file(self.path, expected)
            elif FilesInPlace.now(self.path).ledger == files.ledger:
                former.close()  # only its log was deleted: SQLite writes the open log into the file now
            connection = connect(self.path, self._wait_s)
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
        """Write the rows to a separate file, because another file has the ledger's name."""
        place = self.path.with_stem(f"{self.path.stem}.rescued-{self._rescue_name}")
        if not place.exists():
            create_file(place, secrets.token_hex(16))
            self._warn(f"what {shown(self.path)} held before is now in {str(place)!r}")
        with contextlib.closing(connect(place, self._wait_s)) as connection:
            merge(connection, rows, set(self.memory.calls))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite, the system and conversions into `LedgerFailed` with a message and a hint."""
        try:
            yield
        except EXPLAINED as error:
            raise explained(error, self.path, self._wait_s) from error
