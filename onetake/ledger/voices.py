"""Voices: what was made, by which name, until when it lives, and who agreed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from client import VOICE_LIFETIME
from onetake.errors import UsageError
from onetake.ledger.deletion import forget_recording, forget_voice
from onetake.ledger.failures import DamagedRow
from onetake.ledger.records import VoiceRecord
from onetake.ledger.rows import moment_of, record_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from onetake.ledger.database import Database

OF_VOICES: Final = """SELECT voices.voice_id, voices.name, voices.base_url, created_at, expires_at, kept_at, gone_at,
    voices.consent, coalesce(takes.path, '') AS take, takes.sha256, coalesce(attempts.changes, '[]') AS changes,
    voices.attempt, attempts.demo_url, attempts.trace_id, attempts.service_message,
    coalesce(attempts.warnings, '[]') AS warnings
    FROM voices LEFT JOIN attempts ON attempts.id = voices.attempt LEFT JOIN takes ON takes.id = attempts.take"""
_LONGEST_NAME: Final = 100


class Voices:
    """The book of voices.

    Args:
        database: The file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[VoiceRecord]:
        """Every voice: those that may still be lost first, soonest first, then the kept ones, then what is gone."""
        now = datetime.now(UTC)
        voices = self._database.records(VoiceRecord, f"{OF_VOICES} ORDER BY expires_at, voices.voice_id")
        return sorted(voices, key=lambda voice: (not voice.lives(now), voice.kept_at is not None))

    def find(self, wanted: str) -> VoiceRecord:
        """The voice with that name or ``voice_id``.

        Raises:
            UsageError: There is none, or more than one.
        """
        named = f"{OF_VOICES} WHERE voices.name = ? OR voices.voice_id = ?"
        found = self._database.records(VoiceRecord, named, wanted, wanted)
        by_name = [voice for voice in found if voice.name == wanted]
        if len(found) == 1 or len(by_name) == 1:
            return (by_name or found)[0]
        if found:
            raise UsageError(f"{wanted!r} is a voice of several services", "call it by its name; see `onetake voices`")
        raise UsageError(f"the ledger knows no voice {wanted!r}", "`onetake voices` lists those that it knows")

    def is_known(self, wanted: str) -> bool:
        """Whether a voice has that name or ``voice_id``. Raises `LedgerFailed`."""
        known = "SELECT 1 FROM voices WHERE name = ? OR voice_id = ? LIMIT 1"
        return bool(self._database.rows(known, wanted, wanted))

    def kept(self, voice: VoiceRecord) -> None:
        """A speech call used it: it stays for good. Raises `LedgerFailed`."""
        self._mark("kept_at = coalesce(kept_at, ?), gone_at = NULL", voice, _now())

    def gone(self, voice: VoiceRecord) -> None:
        """The service said that it does not exist. Raises `LedgerFailed`."""
        self._mark("gone_at = ?", voice, _now())

    def rename(self, voice: VoiceRecord, name: str) -> None:
        """Call it `name`.

        Raises:
            UsageError: Another voice is called so, or no voice can be.
        """
        require_name(name)
        with self._database.transaction() as connection:
            called = "SELECT base_url, voice_id FROM voices WHERE name = ? OR voice_id = ?"
            for taken in connection.execute(called, (name, name)).fetchall():
                if (taken["base_url"], taken["voice_id"]) != (voice.base_url, voice.voice_id):
                    raise UsageError(f"another voice is called {name!r}", "choose another name")
            self._change(connection, "name = ?", name, voice)

    def agreed(self, voice: VoiceRecord, consent: str) -> None:
        """Its speaker's consent was not written down before. Raises `LedgerFailed`."""
        self._mark("consent = coalesce(consent, ?)", voice, consent)

    def forget(self, voice: VoiceRecord, *, with_unknown: bool = False) -> bool:
        """Delete a voice and all that is known of its recordings: paths, digests, texts, options, consent, answers.

        What another voice needs stays. The service is not told; the recordings count as never cloned. What was deleted
        is overwritten, in the file and in its log.

        Args:
            voice: The voice.
            with_unknown: Forget also calls for its recordings whose outcome is unknown.

        Returns:
            Whether all of it is overwritten; otherwise another process keeps the log in use, and it is overwritten
            when that one ends.

        Raises:
            UsageError: There are such calls, or a recording is being cloned at this moment.
            LedgerFailed: It could not be written.
        """
        return self._forget(lambda connection: forget_voice(connection, voice, with_unknown=with_unknown))

    def forget_recording(self, path: str, *, with_unknown: bool = False) -> bool:
        """The same for a recording that no voice was made of.

        Args:
            path: Its absolute path.
            with_unknown: Forget also calls for it whose outcome is unknown.

        Returns:
            Whether all of it is overwritten, as for `forget`.

        Raises:
            UsageError: It is not known, a voice was made of it, or a call for it is under way or unknown.
            LedgerFailed: It could not be written.
        """
        return self._forget(lambda connection: forget_recording(connection, path, with_unknown=with_unknown))

    def _forget(self, delete: Callable[[sqlite3.Connection], set[str]]) -> bool:
        with self._database.transaction() as connection:
            calls = delete(connection)
        for call in calls:
            self._database.memory.calls.pop(call, None)
        return self._database.shrink()

    def settle(self, attempt: str, voice_id: str | None) -> VoiceRecord | None:
        """Say how an attempt ended of which nobody knew it.

        Args:
            attempt: Its name.
            voice_id: The voice that it gave; None if it gave none.

        Raises:
            UsageError: It is not one whose end is unknown, or the voice is none, or that of another call.
        """
        if voice_id is not None and (not voice_id.isprintable() or len(voice_id.split()) != 1):
            raise UsageError(f"{voice_id!r} is no voice_id", "copy it from your account with the service")
        with self._database.transaction() as connection:
            wanted = "SELECT state, called_at, base_url FROM attempts WHERE id = ?"
            row = connection.execute(wanted, (attempt,)).fetchone()
            if row is None or row["state"] != "unknown":
                raise UsageError(
                    f"{attempt!r} is no attempt whose end is unknown", "`onetake voices --unknown` lists those"
                )
            state = "refused" if voice_id is None else "voice"
            connection.execute("UPDATE attempts SET state = ?, kind = 'settled' WHERE id = ?", (state, attempt))
            if voice_id is None:
                return None
            if (known := _voice(connection, row["base_url"], voice_id)) is not None:
                whose = f"{voice_id} is {known.name}, which was made of {known.take or 'another recording'}"
                raise UsageError(whose, "each call gives a voice of its own: look for the other one in your account")
            # when the call was sent, since the answer's time is not known: it expires then at the earliest
            created = moment_of(row["called_at"])
            add_voice(connection, attempt, voice_id, created, created + VOICE_LIFETIME)
        return self.find(voice_id)

    def _mark(self, change: str, voice: VoiceRecord, value: str) -> None:
        self._database.write_paid(lambda connection: self._change(connection, change, value, voice))

    @staticmethod
    def _change(connection: sqlite3.Connection, change: str, value: str, voice: VoiceRecord) -> None:
        connection.execute(
            f"UPDATE voices SET {change} WHERE base_url = ? AND voice_id = ?", (value, voice.base_url, voice.voice_id)
        )


def add_voice(
    connection: sqlite3.Connection, attempt: str, voice_id: str, created_at: datetime, expires_at: datetime
) -> str:
    """Write down the voice that an attempt gave, under a name that is free, and return the name.

    One that lives already, since another call gave it, stays as it is: both recordings are known by it then.
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
        if known.lives(datetime.now(UTC)):
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
    """Refuse what no voice can be called; raises `UsageError`."""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a voice's name", f"use 1 to {_LONGEST_NAME} printable characters")


def _voice(connection: sqlite3.Connection, base_url: str, voice_id: str) -> VoiceRecord | None:
    wanted = f"{OF_VOICES} WHERE voices.base_url = ? AND voices.voice_id = ?"
    row = connection.execute(wanted, (base_url, voice_id)).fetchone()
    return None if row is None else record_of(row, VoiceRecord)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _stem(path: str) -> str:
    stem = PurePath(path).stem[:_LONGEST_NAME]
    return stem if stem.isprintable() else ""


def free_name(connection: sqlite3.Connection, wanted: str) -> str:
    """A name that no voice has: the wanted one, or one with a number behind it."""

    def is_free(number: int) -> bool:
        name = wanted if number == 1 else f"{wanted}-{number}"
        return connection.execute("SELECT 1 FROM voices WHERE name = ?", (name,)).fetchone() is None

    # thousands of folders may each hold a take.wav: a search by doubling and halving needs few queries for the last
    free = 1
    while not is_free(free):
        free *= 2
    taken = free // 2
    while free - taken > 1:
        middle = (free + taken) // 2
        free, taken = (middle, taken) if is_free(middle) else (free, middle)
    return wanted if free == 1 else f"{wanted}-{free}"
