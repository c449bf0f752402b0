"""A ledger in PostgreSQL, which several machines share.

A run holds a session and its lock. When the connection is lost, the server releases the lock, and other machines settle
what this run had begun: a claim ends, and the outcome of a call becomes unknown. So a run that lost its connection
starts nothing more; it connects again only to store the outcome of calls that it has made.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from onetake.config.config_view import redact_url
from onetake.errors import LedgerFailed
from onetake.ledger.postgres_failures import NO_MORE, POOLED, failure_of
from onetake.ledger.postgres_schema import migrate
from onetake.ledger.postgres_session import Pooled, Session
from onetake.ledger.restoration import Memory, add_rows
from onetake.ledger.rows import record_of
from onetake.ledger.sqlite_failures import DamagedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import msgspec

    from onetake.ledger.protocol import Connection

    _Record = TypeVar("_Record", bound=msgspec.Struct)
_Result = TypeVar("_Result")

_RUN: Final = re.compile(r"[0-9a-f]{16}")
_SAME_CLOCK: Final = timedelta(seconds=1)


class PostgresDatabase:
    """`onetake.ledger.protocol.LedgerDatabase` in PostgreSQL.

    Args:
        url: ``postgresql://…``, as libpq reads it.
        wait_s: How long to wait for another transaction.
        warn: Called after the connection was lost and restored.
        read_only: Hold no lock and write nothing.
        reconnect_s: How long to try to connect again when the outcome of a paid call must be stored.

    Attributes:
        place: The URL without user, password and options.
        identity: Random identifier of the ledger.
        memory: The rows that this run wrote: a standby that takes over may lack the last ones.
        runs: This run and others.

    Raises:
        LedgerFailed: It cannot be used.
    """

    leftovers = "the deleted data stays in the server's write-ahead log and backups until they are removed"

    def __init__(
        self,
        url: str,
        wait_s: float,
        warn: Callable[[str], None],
        *,
        read_only: bool = False,
        reconnect_s: float = 120.0,
    ) -> None:
        self.place = redact_url(url)
        self.memory = Memory()
        self._url, self._wait_s, self._warn, self._reconnect_s = url, wait_s, warn, reconnect_s
        self._lock = threading.RLock()
        self._offset = timedelta()
        self._run = None if read_only else secrets.token_hex(8)
        self._was_lost = self._is_closed = False
        with self._explained():
            self._session = Session(url, self._run, wait_s)
            try:
                self.identity = self._prepare(self._session)
            except BaseException:
                self._session.close()
                raise
        self.runs = PostgresRuns(self, self._run or secrets.token_hex(8))

    def now(self) -> datetime:
        """The time of this machine's clock, corrected by the server's if they differ by more than a second, UTC."""
        return datetime.now(UTC) + self._offset

    def server_time(self, moment: datetime) -> datetime:
        """Convert a moment of this machine's clock to the server's."""
        return moment + self._offset

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run a block as one transaction.

        Raises:
            LedgerFailed: It could not be written, or the connection was lost earlier in this run.
        """
        with self._lock, self._explained():
            self._require_open()
            if self._was_lost or self._session.is_lost:
                self._was_lost = True
                raise LedgerFailed(f"the connection to the ledger at {self.place} was lost", NO_MORE)
            with self._in_transaction() as connection:
                yield connection

    def write_paid(self, work: Callable[[Connection], _Result]) -> _Result:
        """Run a transaction whose result must not be lost: connect again if necessary, for two minutes.

        Raises:
            LedgerFailed: It could not be written.
        """
        import psycopg

        with self._lock, self._explained():
            self._require_open()
            if not self._session.is_lost:
                try:
                    with self._in_transaction() as connection:
                        return work(connection)
                except psycopg.OperationalError:
                    if not self._session.is_lost:
                        raise
            self._connect_again(self._reconnect_s)
            with self._in_transaction() as connection:
                return work(connection)

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a query; raises `LedgerFailed`."""
        with self._lock, self._explained():
            self._require_open()
            if self._session.is_lost:
                self._connect_again(0)
            return self._session.connection.execute(statement, values).fetchall()

    def records(self, kind: type[_Record], statement: str, *values: object) -> list[_Record]:
        """Return the rows of a query as records; raises `LedgerFailed`."""
        with self._explained():
            return [record_of(row, kind) for row in self.rows(statement, *values)]

    def require_in_place(self) -> None:
        """Check that the server still has this ledger."""
        if [row["id"] for row in self.rows("SELECT id FROM ledger")] != [self.identity]:
            raise LedgerFailed(f"the ledger at {self.place} was replaced during this run", "run the command again")

    def require_stored(self, statement: str, *values: object) -> None:
        """Check that a row exists; raises `LedgerFailed`."""
        if not self.rows(statement, *values):
            raise LedgerFailed(f"the ledger at {self.place} does not hold what was just written", "run this again")

    def require_latest(self) -> None:
        """Do nothing: the server's backups are its administrator's."""

    def mark_call(self, call: str) -> None:
        """Do nothing, for the same reason."""

    def require_sound(self) -> None:
        """Check the identity; the server checks its pages itself."""
        self.require_in_place()

    def shrink(self) -> bool:
        """Free the space of deleted rows. The server's log and its backups keep them for a while: return False."""
        with self._lock, self._explained():
            for table in ("speeches", "voices", "attempts", "takes"):
                self._session.connection.execute(f"VACUUM {table}")
        return False

    def is_locked(self, run: str) -> bool:
        """Whether a session holds the lock of a run."""
        with self._lock, self._explained():
            self._require_open()
            if self._session.is_lost:
                self._connect_again(0)
            return self._session.is_locked(run)

    def take_turn(self, limit: str, interval_s: float) -> float:
        """Take the next turn of a shared rate limit, or return the seconds until it."""
        self._require_unbroken()
        taken = """INSERT INTO rate_limits AS stored (name, next_start)
            VALUES (?, clock_timestamp() + make_interval(secs => ?))
            ON CONFLICT (name) DO UPDATE SET next_start = clock_timestamp() + make_interval(secs => ?)
            WHERE stored.next_start <= clock_timestamp() RETURNING 1"""
        if self.rows(taken, limit, interval_s, interval_s):
            return 0.0
        wait = "SELECT extract(epoch FROM next_start - clock_timestamp())::float AS s FROM rate_limits WHERE name = ?"
        return max(0.001, float(self.rows(wait, limit)[0]["s"]))

    def pause(self, limit: str, seconds: float) -> None:
        """Give no turn of a shared rate limit for that long."""
        self._require_unbroken()
        later = """INSERT INTO rate_limits AS stored (name, next_start)
            VALUES (?, clock_timestamp() + make_interval(secs => ?))
            ON CONFLICT (name) DO UPDATE SET next_start = greatest(stored.next_start, excluded.next_start)
            RETURNING 1"""
        self.rows(later, limit, seconds)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        with self._lock:
            self._is_closed = True
            self._session.close()

    def _prepare(self, session: Session) -> str:
        if self._run is not None:
            with self._in_transaction(session) as connection:
                migrate(connection)
        rows = session.connection.execute("SELECT id, version FROM ledger").fetchall()
        if len(rows) != 1:
            raise DamagedRow("it has no identity")
        return str(rows[0]["id"])

    @contextlib.contextmanager
    def _in_transaction(self, session: Session | None = None) -> Iterator[Connection]:
        used = session or self._session
        with used.transaction() as now:
            # the answer's way adds milliseconds at random: they must not change the order of moments
            if abs((offset := now - datetime.now(UTC)) - self._offset) > _SAME_CLOCK:
                self._offset = offset
            yield used.connection

    def _connect_again(self, seconds: float) -> None:
        """Connect again, and store the rows of this run that the server lost, if a standby has taken over."""
        import psycopg
        import stamina

        self._was_lost = True
        attempts = stamina.retry_context(
            on=psycopg.OperationalError, attempts=None if seconds else 1, timeout=seconds or None, wait_max=5.0
        )
        for attempt in attempts:
            with attempt:
                session = Session(self._url, self._run, self._wait_s)
        identity = self._prepare(session)
        if identity != self.identity:
            session.close()
            raise LedgerFailed(f"the ledger at {self.place} was replaced during this run", "run the command again")
        self._session = session
        if self._run is not None:
            with self._in_transaction() as connection:
                add_rows(connection, self.memory.rows(), set())
        self._warn(f"the connection to the ledger was lost, and restored to store what was paid for: {NO_MORE}")

    def _require_open(self) -> None:
        if self._is_closed:
            raise LedgerFailed(f"the ledger at {self.place} is closed: this run has ended", "run this again")

    def _require_unbroken(self) -> None:
        if self._was_lost or self._session.is_lost:
            raise LedgerFailed(f"the connection to the ledger at {self.place} was lost", NO_MORE)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the server into `LedgerFailed` with a message and a hint."""
        try:
            yield
        except Pooled:
            raise LedgerFailed(
                f"{self.place} is a connection pooler in transaction mode, which cannot hold the lock of a run", POOLED
            ) from None
        except DamagedRow as error:
            hint = "restore a backup. Nothing is paid for until then"
            raise LedgerFailed(f"the ledger at {self.place} is damaged ({error})", hint) from error
        except LedgerFailed:
            raise
        except Exception as error:
            if (failure := failure_of(error, self.place, self._wait_s)) is None:
                raise
            raise failure from error


class PostgresRuns:
    """Which runs are alive: those whose session holds its lock.

    Attributes:
        own: Id of this run.
    """

    def __init__(self, database: PostgresDatabase, own: str) -> None:
        self.own = own
        self._database = database
        self._is_released = False

    def is_alive(self, run: str) -> bool:
        """Whether a run has not ended; raises `LedgerFailed`."""
        if run == self.own:
            return not self._is_released
        return _RUN.fullmatch(run) is not None and self._database.is_locked(run)

    def touch(self) -> None:
        """Do nothing: the lock shows it."""

    def release(self) -> None:
        """End this run; the server releases the lock when the connection is closed."""
        self._is_released = True
