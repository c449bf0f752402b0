"""Uploads: stored before the first byte is sent, removed when the object is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onetake.ledger.records import AbandonedUpload

if TYPE_CHECKING:
    from onetake.ledger.protocol import Connection, LedgerDatabase, Runs


class _Entry(AbandonedUpload, frozen=True, kw_only=True):
    """An upload with the run that made it."""

    run: str


class Uploads:
    """The table of uploads.

    Args:
        database: The ledger's database.
        runs: This run, and which other runs are alive.
    """

    def __init__(self, database: LedgerDatabase, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def add(self, storage: str, key: str) -> None:
        """Store that an upload is about to begin; if this raises `LedgerFailed`, it must not begin."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO uploads (storage, key, run, reserved_at) VALUES (?, ?, ?, ?)",
                (storage, key, self._runs.own, self._database.now().isoformat()),
            )
        self._runs.touch()

    def remove(self, storage: str, key: str) -> None:
        """Remove the entry of an object that was deleted, or that stays on purpose."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", (storage, key))

        self._database.write_paid(write)

    def abandoned(self) -> list[AbandonedUpload]:
        """Return the uploads of runs that have ended, oldest first."""
        statement = "SELECT storage, key, run, reserved_at FROM uploads ORDER BY reserved_at"
        entries = self._database.records(_Entry, statement)
        return [
            AbandonedUpload(key=upload.key, storage=upload.storage, reserved_at=upload.reserved_at)
            for upload in entries
            if not self._runs.is_alive(upload.run)
        ]
