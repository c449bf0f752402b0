"""Speech calls: stored before each is made, so that none is paid for twice and no link to audio is lost."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from onetake.errors import UsageError
from onetake.ledger.attempts import store_answer
from onetake.ledger.records import NO_ANSWER, SpeechRecord
from onetake.ledger.rows import record_of
from onetake.loopback import is_loopback_url

if TYPE_CHECKING:
    from onetake.ledger.protocol import Connection, LedgerDatabase, Runs
    from onetake.ledger.records import ServiceAnswer, SpeechState, VoiceRecord

_OF_SPEECHES: Final = """SELECT speeches.id, voices.name, speeches.voice_id, speeches.base_url, purpose, text, model,
    state, called_at, ended_at, kind, message, http_status, code, reason, service_message, trace_id, audio_url,
    answer FROM speeches JOIN voices USING (base_url, voice_id)"""
_OF_VOICE: Final = "speeches.base_url = ? AND speeches.voice_id = ?"


class Speeches:
    """The table of speech calls.

    Args:
        database: The ledger's database.
        runs: This run, and which other runs are alive.
    """

    def __init__(self, database: LedgerDatabase, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    def begin(self, voice: VoiceRecord, purpose: Literal["keep", "say"], text: str, model: str) -> str:
        """Store that a speech call is about to be sent, and return its id.

        Raises:
            LedgerFailed: It could not be stored, or the ledger is new or an older copy: the call must not be
                sent.
        """
        self._database.require_latest()
        speech = secrets.token_hex(8)
        with self._database.transaction() as connection:
            connection.execute(
                """INSERT INTO speeches (id, base_url, voice_id, purpose, text, model, run, state, called_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, 'called', ?)""",
                (speech, voice.base_url, voice.voice_id, purpose, text, model, self._runs.own, self._now()),
            )
            self._database.memory.remember_speech(connection, speech)
        self._database.require_stored("SELECT 1 FROM speeches WHERE id = ?", speech)
        if not is_loopback_url(voice.base_url):
            self._database.mark_call(speech)
        return speech

    def answered(self, speech: str, audio_url: str | None, answer: ServiceAnswer, warnings: tuple[str, ...]) -> None:
        """Store that a call succeeded, with the link to its audio if there is one. Raises `LedgerFailed`."""
        fields = ("answered", self._now(), audio_url, msgspec.json.encode(warnings).decode(), speech)
        self._end("state = ?, ended_at = ?, audio_url = ?, warnings = ?", fields, answer)

    def ended(self, speech: str, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """Store that a call failed: ``not-sent``, ``refused`` or ``unknown``. Raises `LedgerFailed`."""
        fields = (state, self._now(), kind, message, speech)
        self._end("state = ?, ended_at = ?, kind = ?, message = ?", fields, answer)

    def _end(self, changes: str, fields: tuple[str | None, ...], answer: ServiceAnswer) -> None:
        speech = str(fields[-1])

        def write(connection: Connection) -> None:
            connection.execute(f"UPDATE speeches SET {changes} WHERE id = ?", fields)
            store_answer(connection, "speeches", speech, answer)
            self._database.memory.remember_speech(connection, speech)

        self._database.write_paid(write)

    def unsettled(self, voice: VoiceRecord, text: str | None = None) -> SpeechRecord | None:
        """Return the newest call for a voice if its outcome is unknown, else None.

        Args:
            voice: The voice.
            text: Consider only calls with this text.
        """
        newest = self._newest(voice, text)
        return newest if newest is not None and newest.state == "unknown" else None

    def unsaved(self, voice: VoiceRecord, text: str) -> SpeechRecord | None:
        """Return the newest call for a voice with a text if it succeeded and its audio was not saved, else None."""
        newest = self._newest(voice, text)
        is_unsaved = newest is not None and newest.state == "answered" and newest.kind not in {None, "settled"}
        return newest if is_unsaved else None

    def mark_unsaved(self, speech: str, kind: str, message: str) -> None:
        """Store that the audio of a call that succeeded was not saved, and why. Raises `LedgerFailed`."""
        self._store_saving(speech, kind, message)

    def mark_saved(self, speech: str) -> None:
        """Store that the audio of a call was saved later. Raises `LedgerFailed`."""
        self._store_saving(speech, None, None)

    def _store_saving(self, speech: str, kind: str | None, message: str | None) -> None:
        def write(connection: Connection) -> None:
            update = "UPDATE speeches SET kind = ?, message = ? WHERE id = ? AND state = 'answered'"
            connection.execute(update, (kind, message, speech))
            self._database.memory.remember_speech(connection, speech)

        self._database.write_paid(write)

    def _newest(self, voice: VoiceRecord, text: str | None) -> SpeechRecord | None:
        wanted = f"{_OF_SPEECHES} WHERE {_OF_VOICE} AND state IN ('unknown', 'answered')"
        values = [voice.base_url, voice.voice_id]
        if text is not None:
            wanted, values = f"{wanted} AND text = ?", [*values, text]
        newest = self._database.records(SpeechRecord, f"{wanted} ORDER BY called_at DESC LIMIT 1", *values)
        return next(iter(newest), None)

    def unknown(self) -> list[SpeechRecord]:
        """Return the calls whose outcome is unknown, oldest first."""
        return self._database.records(SpeechRecord, f"{_OF_SPEECHES} WHERE state = 'unknown' ORDER BY called_at")

    def last_link(self, voice: VoiceRecord) -> SpeechRecord | None:
        """Return the newest call for a voice that was answered with a link."""
        wanted = f"{_OF_SPEECHES} WHERE {_OF_VOICE} AND audio_url IS NOT NULL ORDER BY called_at DESC LIMIT 1"
        return next(iter(self._database.records(SpeechRecord, wanted, voice.base_url, voice.voice_id)), None)

    def settle(self, speech: str, *, succeeded: bool) -> SpeechRecord:
        """Store the outcome of a call whose answer was lost; a call that succeeded keeps its voice.

        Raises:
            UsageError: The outcome of the call is not unknown.
        """
        with self._database.transaction() as connection:
            row = connection.execute(f"{_OF_SPEECHES} WHERE speeches.id = ?", (speech,)).fetchone()
            if row is None or row["state"] != "unknown":
                raise UsageError(
                    f"{speech!r} is not a call whose outcome is unknown", "`onetake voices --unknown` lists those"
                )
            settled = record_of(row, SpeechRecord)
            state: SpeechState = "answered" if succeeded else "refused"
            connection.execute("UPDATE speeches SET state = ?, kind = 'settled' WHERE id = ?", (state, speech))
            if succeeded:
                connection.execute(
                    """UPDATE voices SET kept_at = coalesce(kept_at, ?), gone_at = NULL
                    WHERE base_url = ? AND voice_id = ?""",
                    (row["called_at"], row["base_url"], row["voice_id"]),
                )
        return msgspec.structs.replace(settled, state=state)

    def mark_abandoned(self) -> None:
        """Mark the calls of runs that crashed or were killed as unknown."""
        active = self._database.rows("SELECT DISTINCT run FROM speeches WHERE state = 'called'")
        for run in (row["run"] for row in active if not self._runs.is_alive(row["run"])):
            with self._database.transaction() as connection:
                called = "SELECT id FROM speeches WHERE state = 'called' AND run = ?"
                abandoned = [row["id"] for row in connection.execute(called, (run,))]
                connection.execute(
                    """UPDATE speeches SET state = 'unknown', ended_at = ?, kind = 'process-ended'
                    WHERE state = 'called' AND run = ?""",
                    (self._now(), run),
                )
                for speech in abandoned:
                    self._database.memory.remember_speech(connection, speech)

    def _now(self) -> str:
        return self._database.now().isoformat()
