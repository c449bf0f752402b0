"""The ledger as the rest of the application sees it: three books in one file, and the run that writes in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from onetake.errors import LedgerFailed
from onetake.ledger.attempts import Attempts
from onetake.ledger.database import Database, hint_for
from onetake.ledger.journal import take_over_journal
from onetake.ledger.runs import Runs
from onetake.ledger.speeches import Speeches
from onetake.ledger.uploads import Uploads
from onetake.ledger.voices import Voices

if TYPE_CHECKING:
    from types import TracebackType

FILE_NAME: Final = "ledger.sqlite3"


class Ledger:
    """One file for every run of the command, of which each may write while others do.

    No key and no link to an upload is in it; the service's links to trial recordings and speeches are. Threads may
    share one.

    Args:
        folder: Where it is kept; made when it is missing.
        wait_s: For how long another process may keep it busy; a transaction takes milliseconds.

    Attributes:
        path: The file.
        attempts: What was begun, and how it ended.
        voices: What was made.
        uploads: What may still be stored.
        speeches: Speech calls, and how they ended.

    Raises:
        LedgerFailed: It cannot be used.
    """

    def __init__(self, folder: Path, wait_s: float = 20.0) -> None:
        self.path = folder / FILE_NAME
        self._database = Database(self.path, wait_s)
        try:
            take_over_journal(self._database, folder)
            self._runs = _runs_in(folder / "runs")
        except BaseException:
            self._database.close()
            raise
        self.attempts = Attempts(self._database, self._runs)
        self.voices = Voices(self._database)
        self.uploads = Uploads(self._database, self._runs)
        self.speeches = Speeches(self._database, self._runs)
        self.attempts.settle_those_of_the_dead()
        self.speeches.mark_abandoned()
        self._runs.sweep()

    def require_writable(self) -> None:
        """Write something and take it back; raises `LedgerFailed`."""
        self.uploads.reserve("", "")
        self.uploads.strike("", "")

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


def _runs_in(folder: Path) -> Runs:
    try:
        return Runs(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerFailed(f"{str(folder)!r} cannot be written: {reason}", hint_for(error)) from error
