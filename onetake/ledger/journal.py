"""What earlier versions wrote down, one JSON object a line, is taken over once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.errors import LedgerFailed
from onetake.ledger.voices import add_voice

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from onetake.ledger.database import Database

JOURNAL_NAME: Final = "clones.jsonl"


def take_over_journal(database: Database, folder: Path) -> None:
    """Write the attempts and voices of ``clones.jsonl`` into the ledger, and set the file aside.

    Raises:
        LedgerFailed: It cannot be read, or is not what earlier versions wrote.
    """
    journal = folder / JOURNAL_NAME
    if not journal.is_file():
        return
    try:
        entries = [msgspec.json.decode(line) for line in journal.read_bytes().splitlines()]
        with database.transaction() as connection:
            for entry in entries:
                _take_over(connection, entry)
        journal.rename(journal.with_suffix(".jsonl.taken-over"))
    except (OSError, msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise LedgerFailed(
            f"{str(journal)!r} of an earlier version cannot be taken over", "look into it, then move it aside"
        ) from error


def _take_over(connection: sqlite3.Connection, entry: dict[str, Any]) -> None:
    attempt, event, moment = entry["attempt"], entry["event"], entry["at"]
    if event == "attempt":
        # the digest is that of what was sent, and the request is not known: it is like no request of today
        values = (entry["sha256"], f"journal {attempt}", 0, entry["take"])
        insert = "INSERT OR IGNORE INTO takes (sha256, request, bytes, path) VALUES (?, ?, ?, ?)"
        take = connection.execute(insert, values).lastrowid
        # until another line says how it ended, nobody knows
        connection.execute(
            """INSERT OR IGNORE INTO attempts (id, take, run, state, base_url, options, changes, claimed_at, called_at)
            VALUES (?, ?, 'journal', 'unknown', ?, ?, '[]', ?, ?)""",
            (attempt, take, entry["base_url"], msgspec.json.encode(entry["options"]).decode(), moment, moment),
        )
        return
    connection.execute(
        "UPDATE attempts SET state = ?, ended_at = ?, kind = ? WHERE id = ?",
        (event, moment, entry.get("kind"), attempt),
    )
    if event == "voice":
        expires = datetime.fromisoformat(entry["expires_at"])
        add_voice(connection, attempt, entry["voice_id"], datetime.fromisoformat(moment), expires)
