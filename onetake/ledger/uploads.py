"""Uploads: noted before the first byte is sent, struck out when they are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from onetake.ledger.records import LeftUpload

if TYPE_CHECKING:
    from onetake.ledger.database import Database
    from onetake.ledger.runs import Runs


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

    def strike(self, storage: str, key: str) -> None:
        """The object is gone, or is to stay: nobody needs to delete it."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM uploads WHERE storage = ? AND key = ?", (storage, key))

    def left(self) -> list[LeftUpload]:
        """What runs that have ended may have left behind, oldest first."""
        rows = self._database.rows("SELECT storage, key, run, reserved_at FROM uploads ORDER BY reserved_at")
        return [
            msgspec.convert({name: row[name] for name in LeftUpload.__struct_fields__}, LeftUpload)
            for row in rows
            if not self._runs.lives(row["run"])
        ]
