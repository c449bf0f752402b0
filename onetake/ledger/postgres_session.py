"""A session with the PostgreSQL server, which holds the advisory lock that shows that this run is alive.

A session lock belongs to one server process. A pooler in transaction mode (pgbouncer, Supavisor) gives each transaction
another one, so the lock would stay with a process that serves other clients: such connections are refused.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, cast

from onetake.errors import LedgerFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import psycopg

    from onetake.ledger.protocol import Cursor

WRITERS: Final = "20260101, 1"
"""Key of the advisory lock that excludes writers from each other; the two-number keys are apart from those of runs."""
_PROBE_S: Final = 5.0
"""Seconds to wait for a second connection, which shows whether there is a pooler."""
_DEFAULTS: Final[dict[str, str | int]] = {
    "connect_timeout": 10,
    "application_name": "onetake",
    "client_encoding": "UTF8",
    # a server that is cut off is noticed after 25 s
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_LOCK: Final = "locktype = 'advisory' AND granted AND classid = %s AND objid = %s AND objsubid = 1"
_OF_DATABASE: Final = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"


class Pooled(Exception):
    """Another server process answers than the one that holds the lock of this run."""


class PostgresConnection:
    """`onetake.ledger.protocol.Connection` on a connection of psycopg."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run a statement with ``?`` for values."""
        return cast("Cursor", self._connection.execute(_translated(statement), _values(values)))

    def executemany(self, statement: str, values: Sequence[Sequence[Any]], /) -> None:
        """Run a statement once for each sequence of values."""
        self._connection.cursor().executemany(_translated(statement), [_values(row) for row in values])


@functools.lru_cache(256)
def _translated(statement: str) -> bytes:
    return statement.replace("%", "%%").replace("?", "%s").encode()


def _values(values: Sequence[Any]) -> list[Any]:
    # PostgreSQL has no NUL in texts; an answer of the service may have one
    return [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values]


class Session:
    """One connection, with the lock of a run.

    Args:
        url: URL of the database.
        run: Id of the run, 16 hexadecimal digits; None to hold no lock and write nothing.
        wait_s: How long to wait for a lock.

    Raises:
        psycopg.Error: The server cannot be reached, or refuses.
        LedgerFailed: The URL or the database is not usable.
        Pooled: The connection leads to a pooler in transaction mode.
    """

    def __init__(self, url: str, run: str | None, wait_s: float) -> None:
        self._run = run
        self._raw = _connect(url, is_writer=run is not None)
        try:
            self.connection = PostgresConnection(self._raw)
            self.pid = self._pid_of_server()
            self._set_up(wait_s)
            if run is not None:
                self._lock(run)
                if self.pid != self._raw.info.backend_pid:
                    self._require_own_process(url)
        except BaseException:
            self._raw.close()
            raise

    @property
    def is_lost(self) -> bool:
        """Whether the connection was closed by anything but `close`."""
        return self._raw.closed

    @contextlib.contextmanager
    def transaction(self) -> Iterator[datetime]:
        """Run a block as one transaction that excludes other writers; yields the server's time, UTC.

        Raises:
            Pooled: Another server process answers.
        """
        begun = f"SELECT pg_advisory_xact_lock({WRITERS}), clock_timestamp() AS now, pg_backend_pid() AS pid"
        with self._raw.transaction():
            row = cast("dict[str, Any]", self._raw.execute(begun).fetchone())
            if row["pid"] != self.pid:
                raise Pooled
            yield row["now"]

    def is_locked(self, run: str) -> bool:
        """Whether a session holds the lock of a run."""
        found = f"SELECT 1 FROM pg_locks WHERE {_OF_DATABASE} AND {_LOCK} LIMIT 1"
        return self._raw.execute(found, _halves(run)).fetchone() is not None

    def close(self) -> None:
        """Release the lock and close the connection."""
        import psycopg

        # the server also releases it when it notices that the connection is closed, a moment later
        with contextlib.suppress(psycopg.Error):
            self._raw.execute("SELECT pg_advisory_unlock_all()")
        self._raw.close()

    def _pid_of_server(self) -> int:
        row = cast("dict[str, Any]", self._raw.execute("SELECT pg_backend_pid() AS pid").fetchone())
        return int(row["pid"])

    def _set_up(self, wait_s: float) -> None:
        settings = {
            "search_path": "onetake",
            "lock_timeout": f"{max(1, round(wait_s * 1000))}ms",
            "idle_in_transaction_session_timeout": "30s",  # a suspended machine must not stop the others
            # the server notices a client that is cut off after a minute, and releases its lock
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }
        for name, value in settings.items():
            self._raw.execute("SELECT set_config(%s, %s, false)", (name, value))
        facts = "SELECT current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding"
        row = cast("dict[str, Any]", self._raw.execute(facts).fetchone())
        if row["commit"] == "off":  # a claim must be on disk before anything is paid
            self._raw.execute("SET synchronous_commit = on")
        if row["encoding"] != "UTF8":
            raise LedgerFailed(
                f"the ledger's database has the encoding {row['encoding']}, not UTF8",
                "create one: CREATE DATABASE onetake ENCODING 'UTF8' TEMPLATE template0",
            )

    def _lock(self, run: str) -> None:
        """Take the lock of a run; a session of the same run that the client has lost is ended first."""
        key = _signed(run)
        taken = "SELECT pg_try_advisory_lock(%s) AS taken"
        if not cast("dict[str, Any]", self._raw.execute(taken, (key,)).fetchone())["taken"]:
            lost = f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {_OF_DATABASE} AND {_LOCK}"
            self._raw.execute(lost, _halves(run))
            self._raw.execute("SELECT pg_advisory_lock(%s)", (key,))

    def _require_own_process(self, url: str) -> None:
        """Behind a pooler: check that a second connection gets another server process while this one is idle."""
        import psycopg

        row = None
        with contextlib.closing(_connect(url, is_writer=False)) as other:
            # a pool that is used up does not answer: then this session has a process of its own
            timer = threading.Timer(_PROBE_S, _shut_down, (other.fileno(),))
            timer.start()
            with contextlib.suppress(psycopg.OperationalError):
                row = other.execute("SELECT pg_backend_pid() AS pid").fetchone()
            timer.cancel()
        if (row is not None and row["pid"] == self.pid) or self._pid_of_server() != self.pid:
            raise Pooled


def _connect(url: str, *, is_writer: bool) -> psycopg.Connection[dict[str, Any]]:
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
        from psycopg.rows import dict_row
    except ImportError as error:
        message = "a ledger in PostgreSQL needs the package psycopg"
        raise LedgerFailed(message, 'install it: pip install "onetake[postgres]"') from error
    try:
        given = conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeError):
        # without the parser's message, which quotes the URL and its password
        raise LedgerFailed(
            "the URL of the ledger is not valid",
            "write it like postgresql://USER@HOST/DATABASE, with the password in ~/.pgpass or percent-encoded",
        ) from None
    role = {"target_session_attrs": "read-write"} if is_writer else {}
    chosen = {name: value for name, value in given.items() if isinstance(value, str | int)}
    full = make_conninfo("", **{**_DEFAULTS, **role, **chosen})
    connection = psycopg.connect(full, autocommit=True, row_factory=dict_row)  # pyright: ignore
    # a snapshot that is older than the lock on writers would not see their rows
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection  # pyright: ignore


def _signed(run: str) -> int:
    """Return the key of a run's lock: 64 bits with a sign."""
    return int.from_bytes(bytes.fromhex(run), "big", signed=True)


def _halves(run: str) -> tuple[int, int]:
    """Return a key as ``pg_locks`` shows it: two unsigned numbers of 32 bits."""
    return int(run[:8], 16), int(run[8:], 16)


def _shut_down(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
        line.shutdown(socket.SHUT_RDWR)
