"""The ledger as the rest of the application uses it: four tables in one file."""

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
    """The record of clones, voices, uploads and speech calls; several processes and threads may use it at once.

    It contains neither API keys nor links to uploads, but the service's links to previews and speeches. If the file is
    deleted, moved, replaced or emptied, the next write before a paid call fails; after a paid call the file is written
    again, with everything that this run knows.

    Args:
        folder: Folder of the ledger; created if missing.
        wait_s: How long to wait for another process; a transaction takes milliseconds.
        warn: Called after a repair of permissions or of the ledger. By default it is logged.
        read_only: Work on a copy in memory, such as for a dry run: nothing is created or changed on disk, and a ledger
            that does not exist is empty.

    Attributes:
        path: The file.
        attempts: Clone attempts and their outcomes.
        voices: Voices.
        uploads: Objects that may still be in the storage.
        speeches: Speech calls and their outcomes.

    Raises:
        LedgerFailed: It cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        wait_s: float = 20.0,
        warn: Callable[[str], None] = _LOG.warning,
        *,
        read_only: bool = False,
    ) -> None:
        self.path = folder / FILE_NAME
        self._database = Database(self.path, wait_s, warn, read_only=read_only)
        try:
            self._runs = _runs_in(folder / "runs", warn, read_only=read_only)
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
        if not read_only:
            self._runs.remove_stale()

    def require_writable(self) -> None:
        """Write and delete a row in one transaction; raises `LedgerFailed`."""
        with self._database.transaction() as connection:
            row = ("", secrets.token_hex(16))
            connection.execute("INSERT INTO uploads (storage, key, run, reserved_at) VALUES (?, ?, '', '')", row)
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", row)

    def require_in_place(self) -> None:
        """Check that the open file is the one that has the ledger's name; raises `LedgerFailed`."""
        self._database.require_in_place()

    def require_sound(self) -> None:
        """Run an integrity check; raises `LedgerFailed` if the file is damaged."""
        self._database.require_sound()

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


def is_ledger_expected(folder: Path) -> bool:
    """Whether a folder contains a ledger or its identity file; commands that only read do not create one."""
    return any((folder / name).exists() for name in (FILE_NAME, IDENTITY_NAME))


def _runs_in(folder: Path, warn: Callable[[str], None], *, read_only: bool) -> Runs:
    try:
        return Runs(folder, warn, read_only=read_only)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LedgerFailed(f"{str(folder)!r} cannot be written: {reason}", hint_for(error)) from error
