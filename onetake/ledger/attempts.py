"""Attempts: written down before the paid call is made, and its answer before anything else is done."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from onetake.errors import LedgerFailed
from onetake.ledger.records import (
    NO_ANSWER,
    Attempt,
    Claimed,
    Known,
    ServiceAnswer,
    Standing,
    UnderWay,
    Unsettled,
    VoiceRecord,
)
from onetake.ledger.rows import record_of
from onetake.ledger.voices import OF_VOICES, add_voice

if TYPE_CHECKING:
    import sqlite3

    from onetake.ledger.database import Database
    from onetake.ledger.runs import Runs

_OF_ATTEMPTS = """SELECT attempts.id, takes.path AS take, takes.sha256, base_url, state, claimed_at, uploaded_at,
    called_at, ended_at, kind, message, http_status, code, reason, service_message, trace_id
    FROM attempts JOIN takes ON takes.id = attempts.take"""

_ACTIVE = "state IN ('claimed', 'called')"
"""The words of the indexes that are used by it: SQLite compares them with a query's."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be cloned, as far as it decides whether that was done before.

    Attributes:
        sha256: Of the recording as it lies on disk.
        request: Digest of all else that shapes the voice.
        bytes: The recording's size.
        path: Where it is, for people.
    """

    sha256: str
    request: str
    bytes: int
    path: str


class Attempts:
    """The book of attempts.

    Args:
        database: The file.
        runs: Who else writes in it.
    """

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def knows_size(self, size: int) -> bool:
        """Whether a recording of this size in bytes is known: any other is new, and needs no digest."""
        return bool(self._database.rows("SELECT 1 FROM takes WHERE bytes = ? LIMIT 1", size))

    def standing(self, subject: Subject) -> Known | Unsettled | None:
        """What is known of a recording and request; None when nothing keeps it from being cloned."""
        with self._database.transaction() as connection:
            take = _take(connection, subject)
            return _settled(connection, take) if take is not None else None

    def claim(
        self,
        subject: Subject,
        *,
        base_url: str,
        options: dict[str, Any],
        changes: tuple[str, ...] = (),
        consent: str | None = None,
        name: str | None = None,
        again: bool = False,
    ) -> Standing:
        """Begin an attempt, unless the recording's voice is known, nobody knows, or another attempt is under way.

        Args:
            subject: What is to be cloned.
            base_url: The service.
            options: What is asked of it.
            changes: What was done to the recording.
            consent: Who agreed, and when.
            name: What the voice is to be called.
            again: Begin it also where the voice is known, or where nobody knows how an earlier run's call ended; a
                call of this run whose outcome is unknown is never repeated.

        Raises:
            LedgerFailed: It could not be written down, so nothing may be sent.
        """
        with self._database.transaction() as connection:
            take = _take(connection, subject)
            if take is not None:
                self._mark_abandoned(
                    connection, f"SELECT DISTINCT run FROM attempts WHERE take = ? AND {_ACTIVE}", take
                )
                settled = self._unknown_here(connection, take) if again else _settled(connection, take)
                if settled is not None:
                    return settled
                active = f"SELECT id FROM attempts WHERE take = ? AND {_ACTIVE}"
                if (row := connection.execute(active, (take,)).fetchone()) is not None:
                    return UnderWay(row["id"])
            else:
                values = (subject.sha256, subject.request, subject.bytes, subject.path)
                insert = "INSERT INTO takes (sha256, request, bytes, path) VALUES (?, ?, ?, ?)"
                take = connection.execute(insert, values).lastrowid
            connection.execute("UPDATE takes SET path = ? WHERE id = ?", (subject.path, take))
            attempt = secrets.token_hex(8)
            connection.execute(
                """INSERT INTO attempts (id, take, run, state, base_url, options, changes, consent, name, claimed_at)
                VALUES (?, ?, ?, 'claimed', ?, ?, ?, ?, ?, ?)""",
                (attempt, take, self._runs.own, base_url, _json(options), _json(changes), consent, name, _now()),
            )
            self._database.memory.remember(connection, attempt)
        self._runs.beat()
        return Claimed(attempt)

    def called(self, attempt: str, uploaded_at: datetime) -> None:
        """Write down that the paid call is about to be sent, and read that back by the ledger's name.

        Raises:
            LedgerFailed: It is not stored, or the attempt was ended meanwhile: the call must not be sent.
        """
        with self._database.transaction() as connection:
            update = "UPDATE attempts SET state = 'called', uploaded_at = ?, called_at = ?"
            values = (uploaded_at.isoformat(), _now(), attempt)
            if connection.execute(f"{update} WHERE id = ? AND state = 'claimed'", values).rowcount != 1:
                raise LedgerFailed(f"attempt {attempt} was ended before it was sent", "run the command again")
            self._database.memory.remember(connection, attempt)
        self._runs.beat()
        self._database.require_stored("SELECT 1 FROM attempts WHERE id = ? AND state = 'called'", attempt)

    def gave_voice(
        self,
        attempt: str,
        voice_id: str,
        created_at: datetime,
        expires_at: datetime,
        *,
        demo_url: str | None = None,
        answer: ServiceAnswer = NO_ANSWER,
        warnings: tuple[str, ...] = (),
    ) -> str:
        """Write down the voice that a call gave, and return its name: that which it has, if another call gave it, too.

        A ledger that was deleted, moved or emptied meanwhile is written again.

        Args:
            attempt: Its name.
            voice_id: The voice.
            created_at: When the service answered.
            expires_at: When the voice is deleted unless a speech call uses it.
            demo_url: The link to the trial recording.
            answer: What the service answered.
            warnings: What was wrong with the answer.

        Raises:
            LedgerFailed: It could not be: the attempt stays one whose end is unknown.
        """

        def write(connection: sqlite3.Connection) -> str:
            connection.execute(
                "UPDATE attempts SET state = 'voice', ended_at = ?, demo_url = ?, warnings = ? WHERE id = ?",
                (_now(), demo_url, _json(warnings), attempt),
            )
            note_answer(connection, "attempts", attempt, answer)
            name = add_voice(connection, attempt, voice_id, created_at, expires_at)
            self._database.memory.remember(connection, attempt)
            return name

        name = self._database.write_paid(write)
        known = "SELECT 1 FROM attempts WHERE id = ? AND state = 'voice' AND voice_id = ?"
        self._database.require_stored(known, attempt, voice_id)
        return name

    def ended(self, attempt: str, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """Write down that an attempt ended without a voice: ``refused``, ``unknown`` or ``given-up``.

        A ledger that was deleted, moved or emptied meanwhile is written again.

        Raises:
            LedgerFailed: It could not be.
        """

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE attempts SET state = ?, ended_at = ?, kind = ?, message = ? WHERE id = ?",
                (state, _now(), kind, message, attempt),
            )
            note_answer(connection, "attempts", attempt, answer)
            self._database.memory.remember(connection, attempt)

        self._database.write_paid(write)

    def give_up(self) -> list[Attempt]:
        """End all attempts of this run that are under way, and return those whose end is then unknown."""

        def write(connection: sqlite3.Connection) -> list[str]:
            called = f"SELECT id FROM attempts WHERE {_ACTIVE} AND run = ? AND state = 'called'"
            lost = [row["id"] for row in connection.execute(called, (self._runs.own,))]
            _end(connection, self._runs.own, "interrupted")
            return lost

        lost = set(self._database.write_paid(write))
        return [attempt for attempt in self.unknown() if attempt.id in lost]

    def unknown(self) -> list[Attempt]:
        """The attempts of which nobody knows whether they gave a voice, oldest first."""
        return self._database.records(Attempt, f"{_OF_ATTEMPTS} WHERE state = 'unknown' ORDER BY claimed_at")

    def under_way(self, attempt: str) -> bool:
        """Whether somebody is still at it."""
        rows = self._database.rows("SELECT run, state FROM attempts WHERE id = ?", attempt)
        return bool(rows) and rows[0]["state"] in {"claimed", "called"} and self._runs.lives(rows[0]["run"])

    def reconcile_crashed_runs(self) -> None:
        """End the attempts of runs that ended without doing so: what was called is unknown, the rest given up."""
        active = f"SELECT DISTINCT run FROM attempts WHERE {_ACTIVE}"
        if any(not self._runs.lives(row["run"]) for row in self._database.rows(active)):
            with self._database.transaction() as connection:
                self._mark_abandoned(connection, active)

    def _unknown_here(self, connection: sqlite3.Connection, take: int) -> Unsettled | None:
        """A call of this very run whose outcome is unknown: the user has not heard of it yet."""
        wanted = f"{_OF_ATTEMPTS} WHERE takes.id = ? AND state = 'unknown' AND run = ? LIMIT 1"
        row = connection.execute(wanted, (take, self._runs.own)).fetchone()
        return None if row is None else Unsettled(record_of(row, Attempt))

    def _mark_abandoned(self, connection: sqlite3.Connection, active: str, *values: object) -> None:
        for row in connection.execute(active, values).fetchall():
            if not self._runs.lives(row["run"]):
                _end(connection, row["run"], "process-ended")


def note_answer(connection: sqlite3.Connection, table: str, call: str, answer: ServiceAnswer) -> None:
    """Write down what the service answered to a paid call."""
    fields = msgspec.to_builtins(answer)
    changes = ", ".join(f"{name} = ?" for name in fields)
    connection.execute(f"UPDATE {table} SET {changes} WHERE id = ?", (*fields.values(), call))


def _end(connection: sqlite3.Connection, run: str, kind: str) -> None:
    """End the attempts of a run that are under way."""
    for before, after in (("called", "unknown"), ("claimed", "given-up")):
        connection.execute(
            f"UPDATE attempts SET state = ?, ended_at = ?, kind = ? WHERE {_ACTIVE} AND run = ? AND state = ?",
            (after, _now(), kind, run, before),
        )


def _take(connection: sqlite3.Connection, subject: Subject) -> int | None:
    found = connection.execute(
        "SELECT id FROM takes WHERE sha256 = ? AND request = ?", (subject.sha256, subject.request)
    ).fetchone()
    return None if found is None else int(found["id"])


def _settled(connection: sqlite3.Connection, take: int) -> Known | Unsettled | None:
    """The newest voice of a take that lives, else an attempt that may have given one."""
    now = datetime.now(UTC)
    given = "SELECT base_url, voice_id FROM attempts WHERE take = ?"
    wanted = f"{OF_VOICES} WHERE (voices.base_url, voices.voice_id) IN ({given}) ORDER BY created_at DESC"
    voices = connection.execute(wanted, (take,)).fetchall()
    if living := [voice for voice in (record_of(row, VoiceRecord) for row in voices) if voice.lives(now)]:
        return Known(living[0])
    unknown = f"{_OF_ATTEMPTS} WHERE takes.id = ? AND state = 'unknown' ORDER BY claimed_at DESC LIMIT 1"
    row = connection.execute(unknown, (take,)).fetchone()
    return None if row is None else Unsettled(record_of(row, Attempt))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat()
