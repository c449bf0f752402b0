"""Copy a ledger into an empty one, between SQLite and PostgreSQL: all tables, in one transaction of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onetake.errors import UsageError
from onetake.ledger.restoration import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.ledger.protocol import Connection, LedgerDatabase

_PAGE: Final = 1000
"""Rows that are read at a time."""


class _Table(NamedTuple):
    """How to read the rows of a table in pages.

    Attributes:
        columns: The columns of a row.
        key: The columns that rows are ordered by.
        rows: The table, and what its rows need from others.
    """

    columns: str
    key: str
    rows: str


_OF_TAKES: Final = "sha256, request, bytes, path"
_OF_ATTEMPTS: Final = """run, state, base_url, options, changes, consent, name, claimed_at, uploaded_at, called_at,
    ended_at, kind, message, voice_id, service_message, trace_id, http_status, code, reason, answer, demo_url,
    warnings"""
_PAGES: Final = {
    "takes": _Table(_OF_TAKES, "sha256, request", "takes"),
    "attempts": _Table(
        f"attempts.id AS id, {_OF_ATTEMPTS}, sha256, request",
        "attempts.id",
        "attempts JOIN takes ON takes.id = attempts.take",
    ),
    "voices": _Table(
        "base_url, voice_id, name, attempt, consent, created_at, expires_at, kept_at, gone_at, likeness",
        "base_url, voice_id",
        "voices",
    ),
    "speeches": _Table("*", "id", "speeches"),
    "uploads": _Table("storage, key, run, reserved_at", "storage, key", "uploads"),
}


def copy_tables(source: LedgerDatabase, target: LedgerDatabase) -> dict[str, int]:
    """Copy all rows; other runs wait meanwhile. Memory does not grow with the ledger.

    Args:
        source: The ledger to read; calls of runs that have ended are settled.
        target: An empty ledger.

    Returns:
        Number of rows, by table.

    Raises:
        UsageError: A run is using the source, or the target is not empty.
        LedgerFailed: One of them cannot be used; the target is unchanged.
    """
    if source.place == target.place:
        raise UsageError("the source and the target are the same ledger", "name two ledgers")
    with source.transaction() as old, target.transaction() as new:
        active = "SELECT id FROM attempts WHERE state IN ('claimed', 'called') LIMIT 1"
        if (row := old.execute(active).fetchone()) is not None:
            raise UsageError(f"a run is using {source.place} (attempt {row['id']})", "wait until it has ended")
        for table in TABLES:
            if new.execute(f"SELECT 1 AS found FROM {table} LIMIT 1").fetchone() is not None:
                raise UsageError(f"the ledger {target.place} is not empty", "copy into a new one")
        return {table: _copy(old, new, table) for table in TABLES}


def _copy(old: Connection, new: Connection, table: str) -> int:
    count = 0
    for page in _pages(old, _PAGES[table]):
        rows = [dict(row) for row in page]
        columns = [name for name in rows[0] if table != "attempts" or name not in {"sha256", "request"}]
        values = ", ".join("?" for _ in columns)
        names = ", ".join(columns)
        if table == "attempts":  # the numbers of takes differ: their digests identify them
            names, values = f"{names}, take", f"{values}, (SELECT id FROM takes WHERE sha256 = ? AND request = ?)"
            columns += ["sha256", "request"]
        insert = f"INSERT INTO {table} ({names}) VALUES ({values})"
        new.executemany(insert, [[row[name] for name in columns] for row in rows])
        count += len(rows)
    return count


def _pages(connection: Connection, table: _Table) -> Iterator[list[Any]]:
    keys = [name.rpartition(".")[2] for name in table.key.split(", ")]
    after = ""
    values: list[Any] = []
    while True:
        wanted = f"SELECT {table.columns} FROM {table.rows} {after} ORDER BY {table.key} LIMIT {_PAGE}"
        page = connection.execute(wanted, values).fetchall()
        if not page:
            return
        yield page
        after = f"WHERE ({table.key}) > ({', '.join('?' for _ in keys)})"
        values = [page[-1][name] for name in keys]
