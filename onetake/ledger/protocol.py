"""What the tables of the ledger need from a database: SQLite (`Database`) and PostgreSQL (`PostgresDatabase`).

Statements are the SQL that both understand, with ``?`` for each value. Transactions that write exclude each other, also
between processes and machines, so a statement sees the result of every earlier transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import msgspec

    from onetake.ledger.restoration import Memory

    _Record = TypeVar("_Record", bound=msgspec.Struct)
_Result = TypeVar("_Result")


class Cursor(Protocol):
    """The result of a statement. Rows give their values by the names of columns."""

    @property
    def rowcount(self) -> int:
        """Number of rows that a statement changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, statement: str, values: Sequence[Sequence[Any]], /) -> object:
        """Run a statement once for each sequence of values."""
        ...


class Runs(Protocol):
    """Which runs of the command are alive; `own` is the id of this one."""

    own: str

    def is_alive(self, run: str) -> bool:
        """Whether a run has not ended."""
        ...

    def touch(self) -> None:
        """Show that this run is alive, where a lock does not."""

    def release(self) -> None:
        """End this run; a second call does nothing."""


class LedgerDatabase(Protocol):
    """The database of a ledger; threads share it. Every method raises `LedgerFailed`.

    Attributes:
        place: The database as messages show it, without a password.
        memory: The rows that this run wrote, in case the database loses them.
        leftovers: Where the data of deleted rows may remain if `shrink` returns False.
    """

    place: str
    memory: Memory
    leftovers: str

    def now(self) -> datetime:
        """The time, UTC; all machines that share the ledger agree on it."""
        ...

    def server_time(self, moment: datetime) -> datetime:
        """Convert a moment of this machine's clock to that of `now`."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """Run a block as one transaction; after it, the changes are on disk."""
        ...

    def write_paid(self, work: Callable[[Connection], _Result]) -> _Result:
        """Run a transaction whose result must not be lost; `work` may be called a second time."""
        ...

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        ...

    def records(self, kind: type[_Record], statement: str, *values: object) -> list[_Record]:
        """Return the rows of a query as records."""
        ...

    def require_in_place(self) -> None:
        """Check that this is still the ledger that was opened."""

    def require_stored(self, statement: str, *values: object) -> None:
        """Check, as another run would read it, that a row exists."""

    def require_latest(self) -> None:
        """Check that the ledger was not deleted or replaced by an older copy."""

    def mark_call(self, call: str) -> None:
        """Store outside the ledger that it contains a call which is about to be sent."""

    def require_sound(self) -> None:
        """Check the integrity of the database."""

    def shrink(self) -> bool:
        """Remove what deleted rows left on disk; return whether that is complete."""
        ...

    def take_turn(self, limit: str, interval_s: float) -> float | None:
        """Take the next turn of a rate limit that machines share.

        Args:
            limit: Name of the limit.
            interval_s: Seconds between two turns.

        Returns:
            0 if the turn was taken, else seconds until the next one; None if the ledger belongs to one machine.
        """
        ...

    def pause(self, limit: str, seconds: float) -> None:
        """Give no turn of a shared rate limit for that long."""

    def close(self) -> None:
        """Close it; a second call does nothing."""
