"""The ledger stores answers of the service: message, trace id, links, and speech calls."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client import CloneClient, ServiceError
from onetake.errors import UsageError
from onetake.ledger import FILE_NAME, Claimed, CloneKey, Known, Ledger, ServiceAnswer, Unsettled, VoiceRecord
from onetake.ledger.sqlite_schema import MIGRATIONS
from tests.support.ledgers import NOW, WEEK, claim, sqlite_of, start_attempt, store_voice

ANSWER = ServiceAnswer(
    http_status=200, code=1008, reason="R", service_message="slow down", trace_id="trace-1", answer='{"voice_id": 1}'
)


def voice(ledger: Ledger) -> VoiceRecord:
    store_voice(ledger)
    return ledger.voices.find("take")


def test_a_voice_is_stored_with_its_answer(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    link = "https://cdn.example/demo.mp3?token=abc"
    ledger.attempts.gave_voice(
        attempt, "voice_1", NOW, NOW + WEEK, demo_url=link, answer=ANSWER, warnings=("an error came along",)
    )
    found = ledger.voices.find("voice_1")
    assert (found.demo_url, found.trace_id, found.service_message) == (link, "trace-1", "slow down")
    assert found.warnings == ("an error came along",)
    (row,) = ledger._database.rows("SELECT answer, code FROM attempts")
    assert (row["answer"], row["code"]) == ('{"voice_id": 1}', 1008)


def test_a_failed_call_is_stored_with_the_message_of_the_service(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "server-failed", "it failed", ANSWER)
    (unknown,) = ledger.attempts.unknown()
    assert (unknown.http_status, unknown.code, unknown.reason) == (200, 1008, "R")
    assert (unknown.service_message, unknown.trace_id) == ("slow down", "trace-1")


def test_again_repeats_an_unknown_call_of_an_earlier_run_only(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        attempt = start_attempt(ledger)
        ledger.attempts.called(attempt, NOW)
        ledger.attempts.ended(attempt, "unknown", "server-failed")
        assert isinstance(claim(ledger, again=True), Unsettled)
        assert isinstance(claim(ledger), Unsettled)
    with Ledger(tmp_path) as later:
        assert isinstance(claim(later), Unsettled)
        assert isinstance(claim(later, again=True), Claimed)


def test_again_clones_a_known_voice_in_the_same_run(ledger: Ledger) -> None:
    store_voice(ledger)
    assert isinstance(claim(ledger), Known)
    assert isinstance(claim(ledger, again=True), Claimed)


def test_a_speech_call_is_unsettled_until_the_user_settles_it(ledger: Ledger) -> None:
    anna = voice(ledger)
    assert ledger.speeches.unsettled(anna) is None
    speech = ledger.speeches.begin(anna, "say", "Hello.", "speech-2.8-turbo")
    ledger.speeches.ended(speech, "unknown", "outcome-unknown", "lost", ANSWER)
    (unknown,) = ledger.speeches.unknown()
    assert (unknown.id, unknown.name, unknown.text, unknown.trace_id) == (speech, "take", "Hello.", "trace-1")
    assert ledger.speeches.unsettled(anna) == unknown
    assert ledger.speeches.unsettled(anna, "Hello.") == unknown
    assert ledger.speeches.unsettled(anna, "Another text.") is None
    ledger.speeches.settle(speech, succeeded=True)
    assert ledger.speeches.unsettled(anna) is None
    assert ledger.voices.find("take").kept_at is not None
    with pytest.raises(UsageError):
        ledger.speeches.settle(speech, succeeded=False)


def test_a_failed_speech_call_does_not_keep_the_voice(ledger: Ledger) -> None:
    anna = voice(ledger)
    speech = ledger.speeches.begin(anna, "keep", "Hi.", "speech-2.8-turbo")
    ledger.speeches.ended(speech, "unknown", "outcome-unknown")
    ledger.speeches.settle(speech, succeeded=False)
    assert ledger.speeches.unknown() == []
    assert ledger.voices.find("take").kept_at is None


@pytest.mark.parametrize("state", ["not-sent", "refused"])
def test_a_speech_call_that_was_not_charged_does_not_block_the_next(ledger: Ledger, state: str) -> None:
    anna = voice(ledger)
    ledger.speeches.ended(ledger.speeches.begin(anna, "keep", "Hi.", "m"), state, "kind")
    assert ledger.speeches.unsettled(anna) is None
    assert ledger.speeches.unknown() == []


def test_a_later_answer_supersedes_an_unknown_call(ledger: Ledger) -> None:
    anna = voice(ledger)
    ledger.speeches.ended(ledger.speeches.begin(anna, "say", "Hello.", "m"), "unknown", "kind")
    ledger.speeches.answered(ledger.speeches.begin(anna, "say", "Hello.", "m"), None, ANSWER, ())
    assert ledger.speeches.unsettled(anna, "Hello.") is None
    assert len(ledger.speeches.unknown()) == 1  # the first one may still be charged


def test_a_speech_call_of_a_crashed_run_is_unknown(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.speeches.begin(voice(ledger), "keep", "Hi.", "m")
        with Ledger(tmp_path) as beside:
            assert beside.speeches.unknown() == []
    with Ledger(tmp_path) as later:
        assert [speech.kind for speech in later.speeches.unknown()] == ["process-ended"]


def test_the_newest_link_is_found_and_forgotten_with_its_voice(ledger: Ledger) -> None:
    anna = voice(ledger)
    assert ledger.speeches.last_link(anna) is None
    for link in ("https://cdn.example/1.mp3?a=1", "https://cdn.example/2.mp3?a=2", None):
        ledger.speeches.answered(ledger.speeches.begin(anna, "say", "Hello.", "m"), link, ANSWER, ("odd",))
    newest = ledger.speeches.last_link(anna)
    assert newest is not None
    assert newest.audio_url == "https://cdn.example/2.mp3?a=2"
    ledger.voices.forget(anna)
    assert ledger._database.rows("SELECT id FROM speeches") == []


def test_a_ledger_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        for step in MIGRATIONS[:2]:
            step(connection)
        connection.execute("PRAGMA user_version = 2")
        connection.execute("INSERT INTO takes VALUES (1, 's', 'r', 1, '/a.wav')")
        connection.execute(
            "INSERT INTO attempts (id, take, run, state, base_url, options, changes, claimed_at, voice_id)"
            " VALUES ('a', 1, 'r', 'voice', 'https://s', '{}', '[]', '2026-01-01T00:00:00+00:00', 'v')"
        )
        expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        connection.execute(
            "INSERT INTO voices (base_url, voice_id, name, attempt, created_at, expires_at)"
            f" VALUES ('https://s', 'v', 'anna', 'a', '2026-01-01T00:00:00+00:00', '{expires}')"
        )
    with Ledger(tmp_path) as ledger:
        anna = ledger.voices.find("anna")
        assert (anna.voice_id, anna.demo_url, anna.warnings, anna.likeness) == ("v", None, (), None)


def steps_of_a_lookup(folder: Path, takes: int) -> int:
    """Instructions that SQLite carries out to look up a recording that is known and one that is not."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with Ledger(folder) as ledger:
        rows = [(f"digest {number}", "r", 1000 + number, f"/takes/{number}.wav") for number in range(takes)]
        with ledger._database.transaction() as connection:
            connection.executemany("INSERT INTO takes (sha256, request, bytes, path) VALUES (?, ?, ?, ?)", rows)
        store_voice(ledger)
        known = CloneKey(sha256="take" * 8, request="r", bytes=100, path="/takes/take.wav")
        sqlite_of(ledger)._connection.set_progress_handler(count, 1)
        assert ledger.attempts.knows_size(100)
        assert not ledger.attempts.knows_size(99)
        assert isinstance(ledger.attempts.find(known), Known)
        assert ledger.voices.find("take").voice_id == "voice_1"
        sqlite_of(ledger)._connection.set_progress_handler(None, 1)
    return counted


def test_a_lookup_takes_as_many_steps_in_a_large_ledger(tmp_path: Path) -> None:
    small, large = (steps_of_a_lookup(tmp_path / str(takes), takes) for takes in (10, 2000))
    assert small > 0
    assert large < 1.5 * small


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ('{"key": "sk-Echoed_0123", "message": "成功"}'.encode("utf-16"), '{"key": "***", "message": "成功"}'),
        ('{"message": "成功"}'.encode("gbk"), '{"message": "成功"}'),
        (b"caf\xe9\xff: sk-Echoed_0123", "caf\\xe9\\xff: ***"),
        (b"\x0b\x02\x80\xff sk-Echoed_0123", "base64:" + base64.b64encode(b"\x0b\x02\x80\xff ***").decode()),
    ],
)
def test_an_answer_in_any_encoding_is_stored_without_loss_and_without_the_key(body: bytes, stored: str) -> None:
    error = ServiceError("it failed")
    error.answer_body = body
    assert ServiceAnswer.of_error(CloneClient("sk-Echoed_0123"), error).answer == stored
