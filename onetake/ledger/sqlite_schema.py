"""The schema, as migrations from an empty file to the current version; each runs in one transaction."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from preflight.file_system import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OLD_S: Final = 3600.0
"""A temporary file of this age was left by a process that was killed."""


def _takes_attempts_voices_uploads(connection: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE takes (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL,
            request TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            path TEXT NOT NULL,
            UNIQUE (sha256, request)
        ) STRICT""",
        "CREATE INDEX takes_by_bytes ON takes (bytes)",
        """CREATE TABLE attempts (
            id TEXT PRIMARY KEY,
            take INTEGER NOT NULL REFERENCES takes,
            run TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('claimed', 'called', 'voice', 'refused', 'unknown', 'given-up')),
            base_url TEXT NOT NULL,
            options TEXT NOT NULL,
            changes TEXT NOT NULL,
            consent TEXT,
            name TEXT,
            claimed_at TEXT NOT NULL,
            uploaded_at TEXT,
            called_at TEXT,
            ended_at TEXT,
            kind TEXT,
            message TEXT
        ) STRICT""",
        "CREATE UNIQUE INDEX one_attempt_at_a_time ON attempts (take) WHERE state IN ('claimed', 'called')",
        "CREATE INDEX attempts_by_take ON attempts (take)",
        """CREATE TABLE voices (
            base_url TEXT NOT NULL,
            voice_id TEXT NOT NULL,
            name TEXT NOT NULL UNIQUE,
            attempt TEXT REFERENCES attempts,
            consent TEXT,
            created_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            kept_at TEXT,
            gone_at TEXT,
            PRIMARY KEY (base_url, voice_id)
        ) STRICT""",
        "CREATE INDEX voices_by_attempt ON voices (attempt)",
        """CREATE TABLE uploads (
            storage TEXT NOT NULL,
            key TEXT NOT NULL,
            run TEXT NOT NULL,
            reserved_at TEXT NOT NULL,
            PRIMARY KEY (storage, key)
        ) STRICT""",
    ):
        connection.execute(statement)


def _voice_of_each_attempt(connection: sqlite3.Connection) -> None:
    """A service may return the same voice for two calls: then both recordings refer to it."""
    for statement in (
        "ALTER TABLE attempts ADD COLUMN voice_id TEXT",
        "UPDATE attempts SET voice_id = (SELECT voice_id FROM voices WHERE voices.attempt = attempts.id)",
    ):
        connection.execute(statement)


def _answers_of_paid_calls(connection: sqlite3.Connection) -> None:
    """Answers of paid calls, for the service's support and for links that are fetched later; and speech calls."""
    for statement in (
        *(
            f"ALTER TABLE attempts ADD COLUMN {column}"
            for column in (
                *("service_message TEXT", "trace_id TEXT", "http_status INTEGER", "code INTEGER", "reason TEXT"),
                *("answer TEXT", "demo_url TEXT", "warnings TEXT NOT NULL DEFAULT '[]'"),
            )
        ),
        "CREATE INDEX voices_by_id ON voices (voice_id)",
        """CREATE TABLE speeches (
            id TEXT PRIMARY KEY,
            base_url TEXT NOT NULL,
            voice_id TEXT NOT NULL,
            purpose TEXT NOT NULL CHECK (purpose IN ('keep', 'say')),
            text TEXT NOT NULL,
            model TEXT NOT NULL,
            run TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('called', 'answered', 'not-sent', 'refused', 'unknown')),
            called_at TEXT NOT NULL,
            ended_at TEXT,
            kind TEXT,
            message TEXT,
            service_message TEXT,
            trace_id TEXT,
            http_status INTEGER,
            code INTEGER,
            reason TEXT,
            answer TEXT,
            audio_url TEXT,
            warnings TEXT NOT NULL DEFAULT '[]',
            FOREIGN KEY (base_url, voice_id) REFERENCES voices (base_url, voice_id) ON DELETE CASCADE
        ) STRICT""",
        "CREATE INDEX speeches_by_voice ON speeches (base_url, voice_id)",
    ):
        connection.execute(statement)


def _identity_and_indexes(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE ledger (id TEXT NOT NULL CHECK (length(id) = 32)) STRICT",
        "INSERT INTO ledger (id) VALUES (lower(hex(randomblob(16))))",
        "CREATE INDEX attempts_by_run ON attempts (run) WHERE state IN ('claimed', 'called')",
        "CREATE INDEX unknown_attempts ON attempts (claimed_at) WHERE state = 'unknown'",
        "CREATE INDEX attempts_by_voice ON attempts (voice_id)",
        "DELETE FROM uploads WHERE storage = ''",  # a `doctor` that was killed left it
    ):
        connection.execute(statement)


def _likeness(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE voices ADD COLUMN likeness REAL")


def _ids_of_paid_calls(connection: sqlite3.Connection) -> None:
    """Random ids of all calls, also of those that were deleted: `CallMark` compares the last one."""
    for statement in (
        "CREATE TABLE calls (id TEXT PRIMARY KEY) STRICT",
        "INSERT INTO calls SELECT id FROM attempts WHERE called_at IS NOT NULL UNION SELECT id FROM speeches",
        """CREATE TRIGGER call_of_attempt AFTER UPDATE OF called_at ON attempts WHEN NEW.called_at IS NOT NULL
            BEGIN INSERT OR IGNORE INTO calls VALUES (NEW.id); END""",
        # a ledger that is written again, or copied
        """CREATE TRIGGER call_of_new_attempt AFTER INSERT ON attempts WHEN NEW.called_at IS NOT NULL
            BEGIN INSERT OR IGNORE INTO calls VALUES (NEW.id); END""",
        """CREATE TRIGGER call_of_speech AFTER INSERT ON speeches
            BEGIN INSERT OR IGNORE INTO calls VALUES (NEW.id); END""",
    ):
        connection.execute(statement)


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _takes_attempts_voices_uploads,
    _voice_of_each_attempt,
    _answers_of_paid_calls,
    _identity_and_indexes,
    _likeness,
    _ids_of_paid_calls,
)
"""``PRAGMA user_version`` is the number of migrations that a file has gone through."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open ledger up to date; other processes may do the same concurrently."""
    while _version(connection) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # read again inside the transaction: another process may have been faster
            if (version := _version(connection)) < len(MIGRATIONS):
                MIGRATIONS[version](connection)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def create_file(path: Path, identity: str) -> None:
    """Create an empty ledger, unless another process is faster.

    The file is complete before it gets its name, so an empty or partial file with that name is always damage.

    Args:
        path: Path of the ledger.
        identity: Its random identifier, 32 hexadecimal digits.
    """
    temporary = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    _remove_old(path)
    os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        temporary.chmod(0o600)  # independent of the umask
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            migrate(connection)
            connection.execute("UPDATE ledger SET id = ?", (identity,))
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        _place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, path: Path) -> None:
    """Rename a file without replacing an existing one: a hard link fails if the name exists (POSIX link)."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            temporary.rename(path)
    sync_folder(path.parent)


def _remove_old(path: Path) -> None:
    """Remove files of runs that were killed while they created a ledger."""
    for left in path.parent.glob(f"{path.name}.new-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _OLD_S:
                left.unlink()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
