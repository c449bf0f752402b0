"""A read-only ledger is a copy in memory; and a closed ledger is never written again."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed
from onetake.ledger import FILE_NAME, Known, Ledger, Unsettled
from onetake.ledger.sqlite_schema import MIGRATIONS
from tests.support.ledgers import NOW, WEEK, clone_key_of, start_attempt, store_voice


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Modification time and content of every file in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a closed ledger with a voice and an unknown call."""
    with Ledger(tmp_path / "home") as ledger:
        store_voice(ledger, "cloned", "voice_1")
        unknown = start_attempt(ledger, "unknown")
        ledger.attempts.called(unknown, NOW)
        ledger.attempts.ended(unknown, "unknown", "timed-out")
    return tmp_path / "home"


def test_a_missing_ledger_is_empty_and_is_not_created(tmp_path: Path) -> None:
    with Ledger(tmp_path / "home", read_only=True) as ledger:
        assert ledger.voices.all() == []
        assert ledger.attempts.find(clone_key_of()) is None
        assert not ledger.attempts.knows_size(100)
    assert not (tmp_path / "home").exists()


def test_reading_changes_no_file(folder: Path) -> None:
    before = snapshot(folder)
    with Ledger(folder, read_only=True) as ledger:
        known = ledger.attempts.find(clone_key_of("cloned"))
        assert isinstance(known, Known)
        assert known.voice.voice_id == "voice_1"
        assert isinstance(ledger.attempts.find(clone_key_of("unknown")), Unsettled)
        ledger.require_sound()
        assert snapshot(folder) == before
    assert snapshot(folder) == before


def test_changes_stay_in_the_copy(folder: Path) -> None:
    before = snapshot(folder)
    with Ledger(folder, read_only=True) as ledger:
        voice = ledger.voices.find("voice_1")
        ledger.voices.add_consent(voice, "Ann Example, 2026-11-01")
        ledger.voices.rename(voice, "other")
        assert ledger.voices.find("other").consent == "Ann Example, 2026-11-01"
    assert snapshot(folder) == before


def test_a_call_of_a_live_run_is_active_in_the_copy(folder: Path) -> None:
    with Ledger(folder) as live:
        attempt = start_attempt(live, "active")
        live.attempts.called(attempt, NOW)
        with Ledger(folder, read_only=True) as ledger:  # reads the write-ahead log of the live run
            assert ledger.attempts.is_active(attempt)
            assert ledger.attempts.find(clone_key_of("active")) is None
        live.attempts.gave_voice(attempt, "voice_2", NOW, NOW + WEEK)


def test_a_call_of_a_killed_run_is_unknown_in_the_copy_only(folder: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; "
        "from onetake.ledger import Ledger; from tests.support.ledgers import NOW, start_attempt; "
        "ledger = Ledger(Path(sys.argv[1])); ledger.attempts.called(start_attempt(ledger, 'killed'), NOW); os._exit(9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=False, cwd=Path(__file__).resolve().parents[3]
    )
    assert killed.returncode == 9
    with Ledger(folder, read_only=True) as ledger:
        assert isinstance(ledger.attempts.find(clone_key_of("killed")), Unsettled)
        assert len(ledger.attempts.unknown()) == 2
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM attempts WHERE state = 'called'").fetchone() == (1,)


def test_a_ledger_of_an_older_version_is_migrated_in_the_copy_only(tmp_path: Path) -> None:
    tmp_path.joinpath("home").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / FILE_NAME, isolation_level=None)) as connection:
        MIGRATIONS[0](connection)
        connection.execute("PRAGMA user_version = 1")
    before = snapshot(tmp_path / "home")
    with Ledger(tmp_path / "home", read_only=True) as ledger:
        assert ledger.voices.all() == []
        assert ledger.speeches.unknown() == []
    assert snapshot(tmp_path / "home") == before


@pytest.mark.parametrize(
    ("statement", "message"),
    [("PRAGMA user_version = 999", "newer version"), ("PRAGMA user_version = 0", "another program's database")],
)
def test_other_databases_are_refused(folder: Path, statement: str, message: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute(statement)
    with pytest.raises(LedgerFailed, match=message):
        Ledger(folder, read_only=True)


def test_a_damaged_or_deleted_ledger_is_reported(folder: Path, tmp_path: Path) -> None:
    content = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    with pytest.raises(LedgerFailed, match="damaged"):
        Ledger(folder, read_only=True)
    (folder / FILE_NAME).unlink()
    with pytest.raises(LedgerFailed, match="is missing"):
        Ledger(folder, read_only=True)


def test_another_ledger_in_its_place_is_reported(folder: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "other"):
        pass
    shutil.copy(tmp_path / "other" / FILE_NAME, folder / FILE_NAME)
    with pytest.raises(LedgerFailed, match="not the ledger that was here before"):
        Ledger(folder, read_only=True)


def test_a_ledger_without_write_permission_can_be_read(folder: Path) -> None:
    (folder / FILE_NAME).chmod(0o400)
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere")
        with Ledger(folder, read_only=True) as ledger:
            assert len(ledger.voices.all()) == 1
    finally:
        folder.chmod(0o700)


def test_a_closed_ledger_is_not_written_again(folder: Path) -> None:
    """A thread that waits for an answer may outlive its ledger: the missing log is then not an accident."""
    warnings: list[str] = []
    ledger = Ledger(folder, warn=warnings.append)
    attempt = start_attempt(ledger, "late")
    ledger.attempts.called(attempt, NOW)
    assert [lost.id for lost in ledger.attempts.mark_interrupted()] == [attempt]
    ledger.close()
    before = snapshot(folder)
    with pytest.raises(LedgerFailed, match="is closed"):
        ledger.attempts.gave_voice(attempt, "voice_late", NOW, NOW + WEEK)
    with pytest.raises(LedgerFailed, match="is closed"):
        ledger.attempts.ended(attempt, "refused", "audio-refused")
    with pytest.raises(LedgerFailed, match="is closed"):
        ledger.attempts.unknown()
    assert snapshot(folder) == before
    assert warnings == []
    with Ledger(folder) as reopened:
        assert attempt in {unknown.id for unknown in reopened.attempts.unknown()}


def test_an_unknown_call_is_not_overwritten_as_not_sent(folder: Path) -> None:
    """Another thread marked it as unknown, and the command printed that."""
    with Ledger(folder) as ledger:
        attempt = start_attempt(ledger, "raced")
        ledger.attempts.called(attempt, NOW)
        ledger.attempts.mark_interrupted()
        ledger.attempts.ended(attempt, "given-up", "not-sent")
        assert attempt in {unknown.id for unknown in ledger.attempts.unknown()}
        ledger.attempts.ended(attempt, "refused", "audio-refused")  # the service's answer settles it
        assert attempt not in {unknown.id for unknown in ledger.attempts.unknown()}


def test_interrupted_calls_are_unknown_even_if_the_file_disappears(folder: Path) -> None:
    with Ledger(folder) as ledger:
        attempt = start_attempt(ledger, "lost")
        ledger.attempts.called(attempt, NOW)
        ledger.attempts.mark_interrupted()
        other = start_attempt(ledger, "other")
        ledger.attempts.called(other, NOW)
        for path in folder.glob(f"{FILE_NAME}*"):
            path.unlink()
        ledger.attempts.gave_voice(other, "voice_3", NOW, NOW + WEEK)  # writes the ledger again
        assert attempt in {unknown.id for unknown in ledger.attempts.unknown()}
