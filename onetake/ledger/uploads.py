"""Uploads: noted before the first byte is sent, struck out when they are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from onetake.ledger.records import LeftUpload

if TYPE_CHECKING:
    import sqlite3

    from onetake.ledger.database import Database
    from onetake.ledger.runs import Runs


class _Noted(LeftUpload, frozen=True, kw_only=True):
    """With the run that noted it."""

    run: str


class Uploads:
    """The book of uploads.

    Args:
        database: The file.
        runs: Who else writes in it.
    """

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def reserve(self, storage: str, key: str) -> None:
        """An object is about to be sent; raises `LedgerFailed`, and then it must not be."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO uploads (storage, key, run, reserved_at) VALUES (?, ?, ?, ?)",
                (storage, key, self._runs.own, datetime.now(UTC).isoformat()),
            )
        self._runs.beat()

    def strike(self, storage: str, key: str) -> None:
        """The object is gone, or is to stay: nobody needs to delete it."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", (storage, key))

        self._database.write_paid(write)

    def left(self) -> list[LeftUpload]:
        """What runs that have ended may have left behind, oldest first."""
        statement = "SELECT storage, key, run, reserved_at FROM uploads ORDER BY reserved_at"
        noted = self._database.records(_Noted, statement)
        return [
            LeftUpload(key=upload.key, storage=upload.storage, reserved_at=upload.reserved_at)
            for upload in noted
            if not self._runs.lives(upload.run)
        ]
