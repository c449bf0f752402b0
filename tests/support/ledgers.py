"""Ledgers for tests: keys, attempts and voices, and the databases inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onetake.ledger import Claimed, CloneKey, InProgress, Known, Ledger, Unsettled
from onetake.ledger.postgres import PostgresDatabase
from onetake.ledger.sqlite import Database

NOW = datetime.now(UTC)
WEEK = timedelta(hours=168)


def clone_key_of(name: str = "take") -> CloneKey:
    return CloneKey(sha256=name * 8, request="r", bytes=100, path=f"/takes/{name}.wav")


def claim(ledger: Ledger, name: str = "take", *, again: bool = False) -> Claimed | Known | Unsettled | InProgress:
    return ledger.attempts.claim(clone_key_of(name), base_url="https://service.example", options={}, again=again)


def start_attempt(ledger: Ledger, name: str = "take") -> str:
    claimed = claim(ledger, name)
    assert isinstance(claimed, Claimed)
    return claimed.attempt


def store_voice(ledger: Ledger, name: str = "take", voice_id: str = "voice_1", age: timedelta = timedelta()) -> str:
    attempt = start_attempt(ledger, name)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.gave_voice(attempt, voice_id, NOW - age, NOW - age + WEEK)
    return attempt


def sqlite_of(ledger: Ledger) -> Database:
    assert isinstance(ledger._database, Database)
    return ledger._database


def postgres_of(ledger: Ledger) -> PostgresDatabase:
    assert isinstance(ledger._database, PostgresDatabase)
    return ledger._database
