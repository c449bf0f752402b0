"""Write a ledger again that disappeared during a run: from the open file if it is intact, else from memory."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

from onetake.ledger.file_identity import FilesInPlace, number_of, with_suffix

if TYPE_CHECKING:
    from pathlib import Path

    from onetake.ledger.protocol import Connection

Rows = dict[str, list[dict[str, Any]]]
"""Rows by table, each with its columns."""

TABLES: Final = ("takes", "attempts", "voices", "speeches", "uploads")


class Memory:
    """The rows that this run wrote.

    Attributes:
        calls: By id of attempts and speech calls: their rows, and the rows that these refer to.
    """

    def __init__(self) -> None:
        self.calls: dict[str, Rows] = {}

    def remember(self, connection: Connection, attempt: str) -> None:
        """Copy the rows of an attempt; to be called at the end of each transaction that changes it."""
        rows = {
            "takes": _rows(
                connection, "SELECT * FROM takes WHERE id = (SELECT take FROM attempts WHERE id = ?)", attempt
            ),
            "attempts": _rows(connection, "SELECT * FROM attempts WHERE id = ?", attempt),
            "voices": _rows(connection, "SELECT * FROM voices WHERE attempt = ?", attempt),
        }
        if rows["attempts"]:
            self.calls[attempt] = rows

    def remember_speech(self, connection: Connection, speech: str) -> None:
        """Copy the rows of a speech call."""
        voices = "SELECT voices.* FROM voices JOIN speeches USING (base_url, voice_id) WHERE speeches.id = ?"
        rows = {
            "voices": _rows(connection, voices, speech),
            "speeches": _rows(connection, "SELECT * FROM speeches WHERE id = ?", speech),
        }
        if rows["speeches"]:
            self.calls[speech] = rows

    def rows(self) -> Rows:
        """Return all rows, by table."""
        return {name: [row for rows in self.calls.values() for row in rows.get(name, ())] for name in TABLES}


def surviving_rows(connection: sqlite3.Connection) -> Rows | None:
    """Return all rows of an open file that has lost its name, or None if it is damaged."""
    try:
        if tuple(connection.execute("PRAGMA integrity_check(1)").fetchone()) != ("ok",):
            return None
        return {name: _rows(connection, f"SELECT * FROM {name}") for name in TABLES}
    except sqlite3.Error:
        return None


def clear_place(path: Path, former: FilesInPlace) -> bool:
    """Return whether the ledger's name is free; an empty file with that name is renamed, so that users can inspect it.

    A write-ahead log beside it belongs to the former file and is deleted: SQLite would apply it to the new file.

    Args:
        path: The ledger's name.
        former: The open files.
    """
    if path.exists() and path.stat().st_size == 0:
        path.rename(path.with_name(f"{path.name}.empty-{time.time_ns()}"))
    is_free = not path.exists()
    if is_free:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif FilesInPlace.now(path).ledger == former.ledger:
        return False
    for suffix, number in (("-wal", former.log), ("-shm", former.shared_index)):
        companion = with_suffix(path, suffix)
        if is_free or number_of(companion) == number:
            companion.unlink(missing_ok=True)
    return is_free


def merge(connection: sqlite3.Connection, rows: Rows, own: set[str]) -> None:
    """Add rows to a ledger; attempts that it already contains are changed only if they belong to this run.

    Args:
        connection: Connection to the ledger.
        rows: The rows to add.
        own: Ids of the attempts and speech calls of this run.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        add_rows(connection, rows, own)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def add_rows(connection: Connection, rows: Rows, own: set[str]) -> None:
    """Add rows inside a transaction; arguments as for `merge`."""
    takes = {row["id"]: _add_take(connection, row) for row in rows["takes"]}
    for row in rows["attempts"]:
        _add_call(connection, "attempts", {**row, "take": takes[row["take"]]}, own)
    for row in rows["voices"]:
        _add_voice(connection, row)
    for row in rows["speeches"]:
        _add_call(connection, "speeches", row, own)
    for row in rows["uploads"]:
        _insert(connection, "uploads", row)


def _add_take(connection: Connection, row: dict[str, Any]) -> int:
    _insert(connection, "takes", {name: value for name, value in row.items() if name != "id"})
    found = connection.execute(
        "SELECT id FROM takes WHERE sha256 = ? AND request = ?", (row["sha256"], row["request"])
    ).fetchone()
    return int(found["id"])


def _add_call(connection: Connection, table: str, row: dict[str, Any], own: set[str]) -> None:
    _insert(connection, table, row)
    if row["id"] in own:
        columns = ", ".join(f"{name} = ?" for name in row)
        connection.execute(f"UPDATE {table} SET {columns} WHERE id = ?", (*row.values(), row["id"]))


def _add_voice(connection: Connection, row: dict[str, Any]) -> None:
    from onetake.ledger.voices import free_name

    known = "SELECT 1 FROM voices WHERE base_url = ? AND voice_id = ?"
    if connection.execute(known, (row["base_url"], row["voice_id"])).fetchone() is not None:
        return
    # if only this run's rows are left, the attempt of an older voice is missing
    is_known = connection.execute("SELECT 1 FROM attempts WHERE id = ?", (row["attempt"],)).fetchone() is not None
    name = free_name(connection, row["name"])
    _insert(connection, "voices", {**row, "name": name, "attempt": row["attempt"] if is_known else None})


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    columns, values = ", ".join(row), ", ".join("?" for _ in row)
    insert = f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"
    connection.execute(insert, tuple(row.values()))


def _rows(connection: Connection, statement: str, *values: object) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, values)]
