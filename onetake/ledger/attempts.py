"""Clone attempts: stored before the paid call is made; its answer is stored before anything else happens.

States: claimed → called → voice, refused or unknown; or claimed → given-up, when it ended before the paid call.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from onetake.errors import LedgerFailed
from onetake.ledger.records import (
    NO_ANSWER,
    Attempt,
    Claimed,
    ClaimResult,
    CloneKey,
    InProgress,
    Known,
    ServiceAnswer,
    Unsettled,
    VoiceRecord,
)
from onetake.ledger.rows import record_of
from onetake.ledger.voices import OF_VOICES, add_voice
from onetake.loopback import is_loopback_url

if TYPE_CHECKING:
    from datetime import datetime

    from onetake.ledger.protocol import Connection, LedgerDatabase, Runs

_OF_ATTEMPTS = """SELECT attempts.id, takes.path AS take, takes.sha256, base_url, state, claimed_at, uploaded_at,
    called_at, ended_at, kind, message, http_status, code, reason, service_message, trace_id, answer
    FROM attempts JOIN takes ON takes.id = attempts.take"""

_ACTIVE = "state IN ('claimed', 'called')"
"""Written as in the partial indexes of the schema: SQLite uses an index only if a query contains its condition."""


class Attempts:
    """The table of clone attempts.

    Args:
        database: The ledger's database.
        runs: This run, and which other runs are alive.
    """

    def __init__(self, database: LedgerDatabase, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def knows_size(self, size: int) -> bool:
        """Whether a recording of this size in bytes is stored; one of another size is new and needs no digest."""
        return bool(self._database.rows("SELECT 1 FROM takes WHERE bytes = ? LIMIT 1", size))

    def find(self, key: CloneKey) -> Known | Unsettled | None:
        """Return the voice of an earlier clone, or its attempt if its outcome is unknown; None if neither exists."""
        with self._database.transaction() as connection:
            take = _take(connection, key)
            return _settled(connection, take, self._database.now()) if take is not None else None

    def claim(
        self,
        key: CloneKey,
        *,
        base_url: str,
        options: dict[str, Any],
        changes: tuple[str, ...] = (),
        consent: str | None = None,
        name: str | None = None,
        again: bool = False,
    ) -> ClaimResult:
        """Start an attempt, unless there is a voice, an unknown outcome, or another attempt in progress.

        Args:
            key: Identifies the clone.
            base_url: The service.
            options: Options for the endpoint.
            changes: Fixes applied to the recording.
            consent: Who agreed, and when.
            name: Name for the voice.
            again: Start it although there is a voice, or an unknown outcome of an earlier run. A call of this run
                whose outcome is unknown is never repeated.

        Raises:
            LedgerFailed: It could not be stored, or the ledger is new or an older copy: nothing may be sent.
        """
        with self._database.transaction() as connection:
            take = _take(connection, key)
            if take is not None:
                self._mark_abandoned(
                    connection, f"SELECT DISTINCT run FROM attempts WHERE take = ? AND {_ACTIVE}", take
                )
                now = self._database.now()
                settled = self._unknown_here(connection, take) if again else _settled(connection, take, now)
                if settled is not None:
                    return settled
                active = f"SELECT id FROM attempts WHERE take = ? AND {_ACTIVE}"
                if (row := connection.execute(active, (take,)).fetchone()) is not None:
                    return InProgress(row["id"])
            self._database.require_latest()
            if take is None:
                values = (key.sha256, key.request, key.bytes, key.path)
                insert = "INSERT INTO takes (sha256, request, bytes, path) VALUES (?, ?, ?, ?) RETURNING id"
                take = int(connection.execute(insert, values).fetchone()["id"])
            connection.execute("UPDATE takes SET path = ? WHERE id = ?", (key.path, take))
            attempt = secrets.token_hex(8)
            connection.execute(
                """INSERT INTO attempts (id, take, run, state, base_url, options, changes, consent, name, claimed_at)
                VALUES (?, ?, ?, 'claimed', ?, ?, ?, ?, ?, ?)""",
                (attempt, take, self._runs.own, base_url, _json(options), _json(changes), consent, name, self._now()),
            )
            self._database.memory.remember(connection, attempt)
        self._runs.touch()
        return Claimed(attempt)

    def called(self, attempt: str, uploaded_at: datetime) -> None:
        """Store that the paid call is about to be sent, and read it back through the ledger's file name.

        Raises:
            LedgerFailed: It was not stored, or the attempt was ended meanwhile: the call must not be sent.
        """
        with self._database.transaction() as connection:
            update = "UPDATE attempts SET state = 'called', uploaded_at = ?, called_at = ?"
            values = (self._database.server_time(uploaded_at).isoformat(), self._now(), attempt)
            if connection.execute(f"{update} WHERE id = ? AND state = 'claimed'", values).rowcount != 1:
                raise LedgerFailed(f"attempt {attempt} was ended before it was sent", "run the command again")
            wanted = "SELECT base_url FROM attempts WHERE id = ?"
            base_url = connection.execute(wanted, (attempt,)).fetchone()["base_url"]
            self._database.memory.remember(connection, attempt)
        self._runs.touch()
        self._database.require_stored("SELECT 1 FROM attempts WHERE id = ? AND state = 'called'", attempt)
        if not is_loopback_url(base_url):
            self._database.mark_call(attempt)

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
        """Store the voice that a call made, and return its name: the existing one, if another call made it too.

        A ledger that was deleted, moved or emptied meanwhile is written again.

        Args:
            attempt: Id of the attempt.
            voice_id: The service's identifier.
            created_at: When the service answered.
            expires_at: When the service deletes the voice unless a speech call uses it.
            demo_url: The link to the preview.
            answer: The service's answer.
            warnings: What was wrong with the answer.

        Raises:
            LedgerFailed: It could not be stored: the outcome of the attempt counts as unknown.
        """

        def write(connection: Connection) -> str:
            connection.execute(
                "UPDATE attempts SET state = 'voice', ended_at = ?, demo_url = ?, warnings = ? WHERE id = ?",
                (self._now(), demo_url, _json(warnings), attempt),
            )
            store_answer(connection, "attempts", attempt, answer)
            times = (self._database.server_time(created_at), self._database.server_time(expires_at))
            name = add_voice(connection, attempt, voice_id, *times, self._database.now())
            self._database.memory.remember(connection, attempt)
            return name

        name = self._database.write_paid(write)
        known = "SELECT 1 FROM attempts WHERE id = ? AND state = 'voice' AND voice_id = ?"
        self._database.require_stored(known, attempt, voice_id)
        return name

    def ended(self, attempt: str, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """Store that an attempt ended without a voice: ``refused``, ``unknown`` or ``given-up``.

        A ledger that was deleted, moved or emptied meanwhile is written again.

        Raises:
            LedgerFailed: It could not be stored.
        """

        def write(connection: Connection) -> None:
            # another thread may have marked it as unknown, and printed that: `given-up` must not contradict it
            connection.execute(
                """UPDATE attempts SET state = ?, ended_at = ?, kind = ?, message = ?
                WHERE id = ? AND NOT (state = 'unknown' AND ? = 'given-up')""",
                (state, self._now(), kind, message, attempt, state),
            )
            store_answer(connection, "attempts", attempt, answer)
            self._database.memory.remember(connection, attempt)

        self._database.write_paid(write)

    def mark_interrupted(self) -> list[Attempt]:
        """End all attempts of this run that are in progress, and return those whose outcome is then unknown."""

        def write(connection: Connection) -> list[str]:
            called = f"SELECT id FROM attempts WHERE {_ACTIVE} AND run = ? AND state = 'called'"
            lost = [row["id"] for row in connection.execute(called, (self._runs.own,))]
            self._end_run(connection, self._runs.own, "interrupted")
            return lost

        lost = set(self._database.write_paid(write))
        return [attempt for attempt in self.unknown() if attempt.id in lost]

    def unknown(self) -> list[Attempt]:
        """Return the attempts whose outcome is unknown, oldest first."""
        return self._database.records(Attempt, f"{_OF_ATTEMPTS} WHERE state = 'unknown' ORDER BY claimed_at")

    def is_active(self, attempt: str) -> bool:
        """Whether an attempt is in progress, in a run that is alive."""
        rows = self._database.rows("SELECT run, state FROM attempts WHERE id = ?", attempt)
        return bool(rows) and rows[0]["state"] in {"claimed", "called"} and self._runs.is_alive(rows[0]["run"])

    def reconcile_crashed_runs(self) -> None:
        """End the attempts of runs that crashed or were killed: calls become unknown, the others given-up."""
        active = f"SELECT DISTINCT run FROM attempts WHERE {_ACTIVE}"
        if any(not self._runs.is_alive(row["run"]) for row in self._database.rows(active)):
            with self._database.transaction() as connection:
                self._mark_abandoned(connection, active)

    def _now(self) -> str:
        return self._database.now().isoformat()

    def _unknown_here(self, connection: Connection, take: int) -> Unsettled | None:
        """Return a call of this run whose outcome is unknown: the user has not been able to look it up yet."""
        wanted = f"{_OF_ATTEMPTS} WHERE takes.id = ? AND state = 'unknown' AND run = ? LIMIT 1"
        row = connection.execute(wanted, (take, self._runs.own)).fetchone()
        return None if row is None else Unsettled(record_of(row, Attempt))

    def _mark_abandoned(self, connection: Connection, active: str, *values: object) -> None:
        for row in connection.execute(active, values).fetchall():
            if not self._runs.is_alive(row["run"]):
                self._end_run(connection, row["run"], "process-ended")

    def _end_run(self, connection: Connection, run: str, kind: str) -> None:
        """End the attempts of a run that are in progress."""
        active = f"SELECT id FROM attempts WHERE {_ACTIVE} AND run = ?"
        ended = [row["id"] for row in connection.execute(active, (run,))]
        for before, after in (("called", "unknown"), ("claimed", "given-up")):
            connection.execute(
                f"UPDATE attempts SET state = ?, ended_at = ?, kind = ? WHERE {_ACTIVE} AND run = ? AND state = ?",
                (after, self._now(), kind, run, before),
            )
        for attempt in ended:
            self._database.memory.remember(connection, attempt)


def store_answer(connection: Connection, table: str, call: str, answer: ServiceAnswer) -> None:
    """Store the service's answer to a paid call."""
    fields = msgspec.to_builtins(answer)
    changes = ", ".join(f"{name} = ?" for name in fields)
    connection.execute(f"UPDATE {table} SET {changes} WHERE id = ?", (*fields.values(), call))


def _take(connection: Connection, key: CloneKey) -> int | None:
    found = connection.execute(
        "SELECT id FROM takes WHERE sha256 = ? AND request = ?", (key.sha256, key.request)
    ).fetchone()
    return None if found is None else int(found["id"])


def _settled(connection: Connection, take: int, now: datetime) -> Known | Unsettled | None:
    """Return the newest voice of a recording that exists, else the newest attempt whose outcome is unknown."""
    given = "SELECT base_url, voice_id FROM attempts WHERE take = ?"
    wanted = f"{OF_VOICES} WHERE (voices.base_url, voices.voice_id) IN ({given}) ORDER BY created_at DESC"
    voices = connection.execute(wanted, (take,)).fetchall()
    if alive := [voice for voice in (record_of(row, VoiceRecord) for row in voices) if voice.is_alive(now)]:
        return Known(alive[0])
    unknown = f"{_OF_ATTEMPTS} WHERE takes.id = ? AND state = 'unknown' ORDER BY claimed_at DESC LIMIT 1"
    row = connection.execute(unknown, (take,)).fetchone()
    return None if row is None else Unsettled(record_of(row, Attempt))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
