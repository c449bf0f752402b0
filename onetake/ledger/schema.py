"""The tables, as steps from an empty file to what this version reads; each step is one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


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
    """A service may give two calls one voice: both recordings are known by it then."""
    for statement in (
        "ALTER TABLE attempts ADD COLUMN voice_id TEXT",
        "UPDATE attempts SET voice_id = (SELECT voice_id FROM voices WHERE voices.attempt = attempts.id)",
    ):
        connection.execute(statement)


def _answers_of_paid_calls(connection: sqlite3.Connection) -> None:
    """What the service answered, for its support and for links that are fetched later; speech calls like clones."""
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


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _takes_attempts_voices_uploads,
    _voice_of_each_attempt,
    _answers_of_paid_calls,
)
"""The file's ``user_version`` says how many of them it has seen."""
