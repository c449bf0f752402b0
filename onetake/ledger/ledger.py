"""The ledger as the rest of the application uses it: four tables, in one file or in a database that machines share."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeGuard

from onetake.errors import LedgerFailed
from onetake.ledger.attempts import Attempts
from onetake.ledger.file_identity import IDENTITY_NAME
from onetake.ledger.runs import Runs
from onetake.ledger.speeches import Speeches
from onetake.ledger.sqlite import Database
from onetake.ledger.sqlite_failures import hint_for
from onetake.ledger.table_copy import copy_tables
from onetake.ledger.uploads import Uploads
from onetake.ledger.voices import Voices

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from onetake.ledger import protocol
    from onetake.ledger.protocol import LedgerDatabase

FILE_NAME: Final = "ledger.sqlite3"
_LOG: Final = logging.getLogger("onetake.ledger")


class Ledger:
    """The record of clones, voices, uploads and speech calls; several processes and threads may use it at once.

    Several machines may use it at once if it is in PostgreSQL.

    It contains neither API keys nor links to uploads, but the service's links to previews and speeches. If the file is
    deleted, moved, replaced or emptied, or the connection is lost, the next write before a paid call fails; after a
    paid call the file is written again, or the run connects again, with everything that this run knows.

    Args:
        place: Folder of the ledger, created if missing; or the URL of a database, ``postgresql://…``.
        wait_s: How long to wait for another process; a transaction takes milliseconds.
        warn: Called after a repair of permissions or of the ledger. By default it is logged.
        read_only: Work on a copy in memory, such as for a dry run: nothing is created or changed on disk, and a ledger
            that does not exist is empty. A database is only read.

    Attributes:
        place: Path or URL, for messages, without a password.
        attempts: Clone attempts and their outcomes.
        voices: Voices.
        uploads: Objects that may still be in the storage.
        speeches: Speech calls and their outcomes.

    Raises:
        LedgerFailed: It cannot be used.
    """

    def __init__(
        self,
        place: Path | str,
        wait_s: float = 20.0,
        warn: Callable[[str], None] = _LOG.warning,
        *,
        read_only: bool = False,
    ) -> None:
        self._database, self._runs = _opened(place, wait_s, warn, read_only=read_only)
        self.place = self._database.place
        try:
            self.attempts = Attempts(self._database, self._runs)
            self.voices = Voices(self._database)
            self.uploads = Uploads(self._database, self._runs)
            self.speeches = Speeches(self._database, self._runs)
            if not (read_only and is_url(place)):
                self.attempts.reconcile_crashed_runs()
                self.speeches.mark_abandoned()
        except BaseException:
            self._database.close()
            raise

    @property
    def leftovers(self) -> str:
        """What `Voices.forget` leaves on disk if it returns False."""
        return self._database.leftovers

    def now(self) -> datetime:
        """The time that all users of the ledger agree on, UTC."""
        return self._database.now()

    def take_turn(self, limit: str, interval_s: float) -> float | None:
        """Take the next turn of a rate limit that machines share: see `LedgerDatabase.take_turn`."""
        return self._database.take_turn(limit, interval_s)

    def pause(self, limit: str, seconds: float) -> None:
        """Give no turn of a shared rate limit for that long. Raises `LedgerFailed`."""
        self._database.pause(limit, seconds)

    def require_writable(self) -> None:
        """Write and delete a row in one transaction; raises `LedgerFailed`."""
        with self._database.transaction() as connection:
            row = ("", secrets.token_hex(16))
            connection.execute("INSERT INTO uploads (storage, key, run, reserved_at) VALUES (?, ?, '', '')", row)
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", row)

    def require_in_place(self) -> None:
        """Check that the open file is the one that has the ledger's name; raises `LedgerFailed`."""
        self._database.require_in_place()

    def require_latest(self) -> None:
        """Raise `LedgerFailed` if the folder was deleted or replaced by an older copy."""
        self._database.require_latest()

    def require_sound(self) -> None:
        """Run an integrity check; raises `LedgerFailed` if the file is damaged."""
        self._database.require_sound()

    def copy_to(self, other: Ledger) -> dict[str, int]:
        """Copy everything into an empty ledger, and return the number of rows by table: see `copy_tables`."""
        return copy_tables(self._database, other._database)

    def close(self) -> None:
        """End this run; a second call does nothing."""
        self._runs.release()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_url(place: Path | str) -> TypeGuard[str]:
    """Whether a place is the URL of a PostgreSQL database."""
    return isinstance(place, str) and place.startswith(("postgresql://", "postgres://"))


def is_ledger_expected(folder: Path) -> bool:
    """Whether a folder contains a ledger or its identity file; commands that only read do not create one."""
    return any((folder / name).exists() for name in (FILE_NAME, IDENTITY_NAME))


def _opened(
    place: Path | str, wait_s: float, warn: Callable[[str], None], *, read_only: bool
) -> tuple[LedgerDatabase, protocol.Runs]:
    if is_url(place):
        from onetake.ledger.postgres import PostgresDatabase

        shared = PostgresDatabase(place, wait_s, warn, read_only=read_only)
        return shared, shared.runs
    folder = Path(place)
    database = Database(folder / FILE_NAME, wait_s, warn, read_only=read_only)
    try:
        runs = Runs(folder / "runs", warn, read_only=read_only)
    except OSError as error:
        database.close()
        reason = (error.strerror or str(error)).lower()
        raise LedgerFailed(f"{str(folder / 'runs')!r} cannot be written: {reason}", hint_for(error)) from error
    except BaseException:
        database.close()
        raise
    database.on_restored = runs.renew
    if not read_only:
        runs.remove_stale()
    return database, runs
