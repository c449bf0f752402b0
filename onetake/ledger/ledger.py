"""The ledger as the rest of the application sees it: three books in one file, and the run that writes in them."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from onetake.errors import LedgerFailed
from onetake.ledger.attempts import Attempts
from onetake.ledger.database import Database
from onetake.ledger.failures import hint_for
from onetake.ledger.file_identity import IDENTITY_NAME
from onetake.ledger.runs import Runs
from onetake.ledger.speeches import Speeches
from onetake.ledger.uploads import Uploads
from onetake.ledger.voices import Voices

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

FILE_NAME: Final = "ledger.sqlite3"
_LOG: Final = logging.getLogger("onetake.ledger")


class Ledger:
    """One file for every run of the command, of which each may write while others do.

    No key and no link to an upload is in it; the service's links to trial recordings and speeches are. Threads may
    share one. A ledger that is deleted, moved, replaced or emptied is noticed: before anything is paid for by an error;
    afterwards it is written again, as far as this run knows it.

    Args:
        folder: Where it is kept; made when it is missing.
        wait_s: For how long another process may keep it busy; a transaction takes milliseconds.
        warn: Called with what was repaired: permissions, or the ledger itself. By default it is logged.

    Attributes:
        path: The file.
        attempts: What was begun, and how it ended.
        voices: What was made.
        uploads: What may still be stored.
        speeches: Speech calls, and how they ended.

    Raises:
        LedgerFailed: It cannot be used.
    """

    def __init__(self, folder: Path, wait_s: float = 20.0, warn: Callable[[str], None] = _LOG.warning) -> None:
        self.path = folder / FILE_NAME
        self._database = Database(self.path, wait_s, warn)
        try:
            self._runs = _runs_in(folder / "runs", warn)
            self.attempts = Attempts(self._database, self._runs)
            self.voices = Voices(self._database)
            self.uploads = Uploads(self._database, self._runs)
            self.speeches = Speeches(self._database, self._runs)
            self.attempts.reconcile_crashed_runs()
            self.speeches.mark_abandoned()
        except BaseException:
            self._database.close()
            raise
        self._database.on_restored = self._runs.renew
        self._runs.sweep()

    def require_writable(self) -> None:
        """Write something and take it back, in one transaction; raises `LedgerFailed`."""
        with self._database.transaction() as connection:
            row = ("", secrets.token_hex(16))
            connection.execute("INSERT INTO uploads (storage, key, run, reserved_at) VALUES (?, ?, '', '')", row)
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", row)

    def require_in_place(self) -> None:
        """Look whether the open file is the one that has the ledger's name; raises `LedgerFailed`."""
        self._database.require_in_place()

    def require_sound(self) -> None:
        """Read all of it; raises `LedgerFailed` where it is damaged."""
        self._database.require_sound()

    def close(self) -> None:
        """End this run; it can be called twice."""
        self._runs.end()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_ledger_expected(folder: Path) -> bool:
    """Whether there is a ledger in a folder, or a trace of one: what only asks does not create one."""
    return any((folder / name).exists() for name in (FILE_NAME, IDENTITY_NAME))


def _runs_in(folder: Path, warn: Callable[[str], None]) -> Runs:
    try:
        return Runs(folder, warn)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerFailed(f"{str(folder)!r} cannot be written: {reason}", hint_for(error)) from error
