"""Flipped bits: the ledger either has the same content, or is reported as damaged."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetake.errors import LedgerFailed, UsageError
from onetake.ledger import FILE_NAME, Ledger, ServiceAnswer
from onetake.render.voices import attempt_lines, voice_fields, voice_line, voices_csv
from tests.onetake.conftest import Say
from tests.support.ledgers import NOW, claim, clone_key_of, start_attempt, store_voice

NAMES = ("store_voice", "unknown", "refused")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a closed ledger with a row of every kind."""
    folder = tmp_path_factory.mktemp("sound")
    with Ledger(folder) as ledger:
        store_voice(ledger, "store_voice", "voice_1")
        ledger.attempts.called(unknown := start_attempt(ledger, "unknown"), NOW)
        ledger.attempts.ended(unknown, "unknown", "outcome-unknown", "lost", ServiceAnswer(trace_id="trace"))
        ledger.attempts.ended(start_attempt(ledger, "refused"), "refused", "audio-refused", "too short")
        voice = ledger.voices.find("voice_1")
        speech = ledger.speeches.begin(voice, "say", "a text", "speech-2.8-hd")
        ledger.speeches.ended(speech, "unknown", "outcome-unknown")
        ledger.uploads.add("endpoint/bucket", "a key")
    return (folder / FILE_NAME).read_bytes()


def everything(folder: Path) -> list[object]:
    """Return the output of all reading functions, without values that differ between runs."""
    with Ledger(folder) as ledger:
        voices, unknown = ledger.voices.all(), ledger.attempts.unknown()
        now = datetime.now(UTC)
        shown: list[object] = [voices, unknown, ledger.speeches.unknown()]
        shown += [ledger.uploads.abandoned(), [ledger.attempts.knows_size(size) for size in (100, 101)]]
        shown += [type(ledger.attempts.find(clone_key_of(name))).__name__ for name in NAMES]
        for voice in voices:
            voice_line(voice, now)
            shown += [
                ledger.voices.find(voice.name),
                ledger.speeches.last_link(voice),
                ledger.speeches.unsettled(voice),
            ]
        list(voices_csv([voice_fields(voice, now) for voice in voices]))
        for attempt in unknown:
            list(attempt_lines(attempt))
        ledger.require_writable()
        return shown


def write_everything(folder: Path) -> None:
    """Call all writing functions."""
    with Ledger(folder) as ledger:
        for attempt in ledger.attempts.unknown():
            with contextlib.suppress(UsageError):
                ledger.voices.settle(attempt.id, "voice_2")
        for name in NAMES:
            claim(ledger, name)
        for voice in ledger.voices.all():
            ledger.voices.mark_kept(voice)
            ledger.voices.rename(voice, "renamed" + voice.voice_id[:10].strip() or "x")
            ledger.voices.forget(voice, with_unknown=True)
        ledger.attempts.mark_interrupted()


def written(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        if left.is_file():
            left.unlink()
    (folder / FILE_NAME).write_bytes(content)
    (folder / FILE_NAME).chmod(0o600)
    return folder


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_flipped_bit_is_reported_or_changes_nothing_else(
    sound: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Half of the flips skip zero bytes, because most of a page is empty."""
    full = [index for index, byte in enumerate(sound) if byte]
    at = data.draw(st.sampled_from(full) | st.integers(0, len(sound) - 1))
    bit = data.draw(st.integers(0, 7))
    content = bytearray(sound)
    content[at] ^= 1 << bit
    folder = tmp_path_factory.getbasetemp() / "flipped"
    for use in (everything, write_everything):
        failure = None
        try:
            use(written(folder, bytes(content)))
        except LedgerFailed as error:
            failure = error
        if failure is not None:
            assert str(folder / FILE_NAME) in failure.message
            assert failure.hint


TEXTS = [
    ("voices", "created_at", "2026-13-01T00:00:00+00:00"),
    ("voices", "expires_at", "2026-11-28 not a date"),
    ("voices", "expires_at", "2026-11-28T10:00:00"),
    ("voices", "expires_at", "0026-11-28T10:00:00+00:00"),
    ("voices", "kept_at", "9999-12-31T23:59:59+00:00"),
    ("attempts", "changes", '["cut'),
    ("attempts", "changes", '{"cut": 1}'),
    ("attempts", "changes", "[" * 5_000),
    ("attempts", "warnings", "x"),
    ("attempts", "called_at", ""),
    ("speeches", "called_at", "then"),
    ("uploads", "reserved_at", "then"),
    ("attempts", "message", b"\xff\xfe not UTF-8"),
    ("takes", "path", b"/takes/\xc3.wav"),
    ("voices", "consent", b"\x80"),
]


@pytest.mark.parametrize(("table", "column", "value"), TEXTS)
def test_damaged_text_is_reported(tmp_path: Path, sound: bytes, table: str, column: str, value: str | bytes) -> None:
    folder = written(tmp_path / "ledger", sound)
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        change: Any = value
        setting = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        connection.execute(f"UPDATE {table} SET {column} = {setting}", (change,))
    with pytest.raises(LedgerFailed, match="is damaged"):
        everything(folder)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attempts SET state = 'cloned'",
        "UPDATE attempts SET take = 99",
        "UPDATE sqlite_schema SET sql = replace(sql, 'voice_id', 'voice_ie') WHERE name = 'voices'",
        "DELETE FROM sqlite_schema WHERE name = 'takes'",
        "DELETE FROM ledger",
        "UPDATE attempts SET run = 'x' || char(0) || '/../..', state = 'called'",
    ],
)
def test_damaged_states_and_tables_are_reported(tmp_path: Path, sound: bytes, change: str) -> None:
    folder = written(tmp_path / "ledger", sound)
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        for setting in ("writable_schema = ON", "ignore_check_constraints = ON", "foreign_keys = OFF"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute(change)
    if "run =" in change:
        assert everything(folder)  # a run that cannot exist is not alive
        return
    with pytest.raises(LedgerFailed, match="is damaged"):
        everything(folder)


@pytest.mark.parametrize(("table", "column", "value"), [TEXTS[0], TEXTS[5], TEXTS[13]])
def test_no_command_reports_damage_as_a_bug(
    say: Say, home: Path, sound: bytes, table: str, column: str, value: str | bytes
) -> None:
    folder = written(home / "onetake", sound)
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        setting = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        connection.execute(f"UPDATE {table} SET {column} = {setting}", (value,))
    for arguments in (
        ("voices",),
        ("voices", "--json"),
        ("voices", "export"),
        ("voices", "rename", "store_voice", "anna"),
    ):
        ran = say(*arguments)
        assert ran.status == 2, arguments
        assert "is damaged" in ran.err
        assert ".recover" in ran.err
        assert "bug" not in ran.err


def test_an_index_that_contradicts_its_table_is_reported(tmp_path: Path, sound: bytes) -> None:
    """A recording whose digest is damaged in the index alone would not be found, and be paid for again."""
    digest = clone_key_of("store_voice").sha256.encode()
    places = [at for at in range(len(sound)) if sound.startswith(digest, at)]
    assert len(places) == 2  # the table and the index
    for at in places:
        content = bytearray(sound)
        content[at] ^= 1
        with pytest.raises(LedgerFailed, match="is damaged"):
            Ledger(written(tmp_path / "ledger", bytes(content)))


@pytest.mark.parametrize("zone", ["XXX+99:99", "XXX-167", "", ":/dev/null", "Nowhere/Land", "UTC+24:00:01"])
def test_invalid_time_zones_are_shown_as_utc(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch, sound: bytes, zone: str
) -> None:
    import time

    written(home / "onetake", sound)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for arguments in (("voices",), ("voices", "--unknown"), ("voices", "export")):
            ran = say(*arguments)
            assert ran.status in {0, 5}, ran.err
            assert "bug" not in ran.err
            assert str(NOW.year) in ran.out
    finally:
        monkeypatch.undo()
        time.tzset()
