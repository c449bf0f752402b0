"""Voices: their names, when they expire, and who gave consent."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from client import VOICE_LIFETIME
from onetake.errors import UsageError
from onetake.ledger.deletion import forget_recording, forget_voice
from onetake.ledger.records import VoiceRecord
from onetake.ledger.rows import moment_of, record_of
from onetake.ledger.sqlite_failures import DamagedRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from onetake.ledger.protocol import Connection, LedgerDatabase

OF_VOICES: Final = """SELECT voices.voice_id, voices.name, voices.base_url, created_at, expires_at, kept_at, gone_at,
    voices.consent, coalesce(takes.path, '') AS take, takes.sha256, coalesce(attempts.changes, '[]') AS changes,
    voices.attempt, attempts.demo_url, attempts.trace_id, attempts.service_message,
    coalesce(attempts.warnings, '[]') AS warnings,
    voices.likeness
    FROM voices LEFT JOIN attempts ON attempts.id = voices.attempt LEFT JOIN takes ON takes.id = attempts.take"""
_LONGEST_NAME: Final = 100
"""Characters."""


class Voices:
    """The table of voices.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database

    def all(self) -> list[VoiceRecord]:
        """Return all voices: first those that expire, the next to expire first; then kept voices; then deleted ones."""
        now = self._database.now()
        voices = self._database.records(VoiceRecord, f"{OF_VOICES} ORDER BY expires_at, voices.voice_id")
        return sorted(voices, key=lambda voice: (not voice.is_alive(now), voice.kept_at is not None))

    def find(self, wanted: str) -> VoiceRecord:
        """Return the voice with a name or ``voice_id``.

        Raises:
            UsageError: No voice has it, or more than one.
        """
        named = f"{OF_VOICES} WHERE voices.name = ? OR voices.voice_id = ?"
        found = self._database.records(VoiceRecord, named, wanted, wanted)
        by_name = [voice for voice in found if voice.name == wanted]
        if len(found) == 1 or len(by_name) == 1:
            return (by_name or found)[0]
        if found:
            raise UsageError(
                f"{wanted!r} is a voice_id at several services", "give the name of the voice; see `onetake voices`"
            )
        raise UsageError(f"the ledger has no voice {wanted!r}", "`onetake voices` lists the voices")

    def is_known(self, wanted: str) -> bool:
        """Whether a voice has that name or ``voice_id``. Raises `LedgerFailed`."""
        known = "SELECT 1 FROM voices WHERE name = ? OR voice_id = ? LIMIT 1"
        return bool(self._database.rows(known, wanted, wanted))

    def mark_kept(self, voice: VoiceRecord) -> None:
        """Store that a speech call used a voice: it no longer expires. Raises `LedgerFailed`."""
        self._mark("kept_at = coalesce(kept_at, ?), gone_at = NULL", voice, self._database.now().isoformat())

    def mark_gone(self, voice: VoiceRecord) -> None:
        """Store that the service reported that a voice does not exist. Raises `LedgerFailed`."""
        self._mark("gone_at = ?", voice, self._database.now().isoformat())

    def set_likeness(self, voice: VoiceRecord, likeness: float) -> None:
        """Store how close the preview of a voice is to the recording, from 0 to 1. Raises `LedgerFailed`."""
        self._mark("likeness = ?", voice, likeness)

    def rename(self, voice: VoiceRecord, name: str) -> None:
        """Rename a voice.

        Raises:
            UsageError: The name is invalid, or another voice has it.
        """
        require_name(name)
        with self._database.transaction() as connection:
            called = "SELECT base_url, voice_id FROM voices WHERE name = ? OR voice_id = ?"
            for taken in connection.execute(called, (name, name)).fetchall():
                if (taken["base_url"], taken["voice_id"]) != (voice.base_url, voice.voice_id):
                    raise UsageError(f"another voice has the name {name!r}", "choose another name")
            self._change(connection, "name = ?", name, voice)

    def add_consent(self, voice: VoiceRecord, consent: str) -> None:
        """Store the consent statement of a voice that has none. Raises `LedgerFailed`."""
        self._mark("consent = coalesce(consent, ?)", voice, consent)

    def forget(self, voice: VoiceRecord, *, with_unknown: bool = False) -> bool:
        """Delete a voice and everything about its recordings: paths, digests, texts, options, consent, answers.

        Rows that another voice needs stay. The service does not learn of it; the recordings count as never cloned.
        Deleted content is overwritten, in the file and in its log.

        Args:
            voice: The voice.
            with_unknown: Also delete calls for its recordings whose outcome is unknown.

        Returns:
            Whether everything is overwritten; if not, another process uses the log, and it is overwritten when that
            process ends.

        Raises:
            UsageError: There are such calls, or one of the recordings is being cloned.
            LedgerFailed: It could not be written.
        """
        return self._forget(lambda connection: forget_voice(connection, voice, with_unknown=with_unknown))

    def knows_recording(self, path: str) -> bool:
        """Whether the ledger has a recording with this absolute path."""
        return bool(self._database.rows("SELECT 1 FROM takes WHERE path = ? LIMIT 1", path))

    def forget_recording(self, path: str, *, with_unknown: bool = False) -> bool:
        """Delete everything about a recording that has no voice.

        Args:
            path: Its absolute path.
            with_unknown: Also delete calls for it whose outcome is unknown.

        Returns:
            Whether everything is overwritten, as for `forget`.

        Raises:
            UsageError: It is not in the ledger, it has a voice, or a call for it is in progress or unknown.
            LedgerFailed: It could not be written.
        """
        return self._forget(lambda connection: forget_recording(connection, path, with_unknown=with_unknown))

    def _forget(self, delete: Callable[[Connection], set[str]]) -> bool:
        with self._database.transaction() as connection:
            calls = delete(connection)
        for call in calls:
            self._database.memory.calls.pop(call, None)
        return self._database.shrink()

    def settle(self, attempt: str, voice_id: str | None) -> VoiceRecord | None:
        """Store the outcome of an attempt whose answer was lost.

        Args:
            attempt: Id of the attempt.
            voice_id: The voice that it made; None if it made none.

        Raises:
            UsageError: The outcome of the attempt is not unknown, or the ``voice_id`` is invalid or of another call.
        """
        if voice_id is not None and (not voice_id.isprintable() or len(voice_id.split()) != 1):
            raise UsageError(f"{voice_id!r} is not a valid voice_id", "copy it from your account with the service")
        with self._database.transaction() as connection:
            wanted = "SELECT state, called_at, base_url FROM attempts WHERE id = ?"
            row = connection.execute(wanted, (attempt,)).fetchone()
            if row is None or row["state"] != "unknown":
                raise UsageError(
                    f"{attempt!r} is not an attempt whose outcome is unknown", "`onetake voices --unknown` lists those"
                )
            state = "refused" if voice_id is None else "voice"
            connection.execute("UPDATE attempts SET state = ?, kind = 'settled' WHERE id = ?", (state, attempt))
            if voice_id is None:
                return None
            if (known := _voice(connection, row["base_url"], voice_id)) is not None:
                whose = f"{voice_id} is {known.name}, made from {known.take or 'another recording'}"
                raise UsageError(whose, "each call makes a new voice: look for the other one in your account")
            # the time of the answer is unknown: counted from the call, the voice expires at this time at the earliest
            created = moment_of(row["called_at"])
            add_voice(connection, attempt, voice_id, created, created + VOICE_LIFETIME, self._database.now())
        return self.find(voice_id)

    def _mark(self, change: str, voice: VoiceRecord, value: str | float) -> None:
        self._database.write_paid(lambda connection: self._change(connection, change, value, voice))

    @staticmethod
    def _change(connection: Connection, change: str, value: str | float, voice: VoiceRecord) -> None:
        connection.execute(
            f"UPDATE voices SET {change} WHERE base_url = ? AND voice_id = ?", (value, voice.base_url, voice.voice_id)
        )


def add_voice(
    connection: Connection, attempt: str, voice_id: str, created_at: datetime, expires_at: datetime, now: datetime
) -> str:
    """Store the voice that an attempt made, under a free name, and return the name.

    If another call made the same voice, it stays as it is, and both recordings refer to it.
    """
    connection.execute("UPDATE attempts SET voice_id = ? WHERE id = ?", (voice_id, attempt))
    row = connection.execute(
        """SELECT base_url, consent, name, path FROM attempts JOIN takes ON takes.id = attempts.take
        WHERE attempts.id = ?""",
        (attempt,),
    ).fetchone()
    if row is None:
        raise DamagedRow(f"attempt {attempt} is missing")
    base_url = row["base_url"]
    if (known := _voice(connection, base_url, voice_id)) is not None:
        if known.is_alive(now):
            return known.name
        connection.execute("DELETE FROM voices WHERE base_url = ? AND voice_id = ?", (base_url, voice_id))
    name = free_name(connection, row["name"] or _stem(row["path"]) or voice_id)
    connection.execute(
        """INSERT INTO voices (base_url, voice_id, name, attempt, consent, created_at, expires_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (base_url, voice_id, name, attempt, row["consent"], created_at.isoformat(), expires_at.isoformat()),
    )
    return name


def require_name(name: str) -> None:
    """Refuse an invalid voice name; raises `UsageError`."""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{name!r} is not a valid voice name", f"use 1 to {_LONGEST_NAME} printable characters")


def _voice(connection: Connection, base_url: str, voice_id: str) -> VoiceRecord | None:
    wanted = f"{OF_VOICES} WHERE voices.base_url = ? AND voices.voice_id = ?"
    row = connection.execute(wanted, (base_url, voice_id)).fetchone()
    return None if row is None else record_of(row, VoiceRecord)


def _stem(path: str) -> str:
    stem = PurePath(path).stem[:_LONGEST_NAME]
    return stem if stem.isprintable() else ""


def free_name(connection: Connection, wanted: str) -> str:
    """Return the wanted name, or the wanted name with a number if another voice has it."""

    def is_free(number: int) -> bool:
        name = wanted if number == 1 else f"{wanted}-{number}"
        return connection.execute("SELECT 1 FROM voices WHERE name = ?", (name,)).fetchone() is None

    # thousands of folders may each have a take.wav: doubling and bisecting finds a free number in few queries
    free = 1
    while not is_free(free):
        free *= 2
    taken = free // 2
    while free - taken > 1:
        middle = (free + taken) // 2
        free, taken = (middle, taken) if is_free(middle) else (free, middle)
    return wanted if free == 1 else f"{wanted}-{free}"
