"""A ledger that is deleted, moved, replaced or emptied: reported before a call is paid for, repaired after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onetake.errors import LedgerFailed
from onetake.ledger import FILE_NAME, Known, Ledger, Unsettled
from tests.onetake.conftest import Say
from tests.support.ledgers import NOW, WEEK, claim, sqlite_of, start_attempt, store_voice
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services

GOOD = str(FIXTURES / "good.wav")
NAMES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")


def backup_of(path: Path) -> Path:
    """A copy of the ledger as it was before the run."""
    return path.parent.parent / "backup.sqlite3"


def delete(path: Path) -> None:
    path.unlink()


def delete_with_log(path: Path) -> None:
    for name in NAMES:
        (path.parent / name).unlink(missing_ok=True)


def delete_log(path: Path) -> None:
    for name in NAMES[1:]:
        (path.parent / name).unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move(path: Path) -> None:
    path.rename(path.parent.parent / "moved.sqlite3")


def empty(path: Path) -> None:
    os.truncate(path, 0)


def empty_all(path: Path) -> None:
    for name in NAMES:
        os.truncate(path.parent / name, 0)


def replace_by_backup(path: Path) -> None:
    shutil.copy(backup_of(path), path.parent / "new")
    (path.parent / "new").replace(path)


def replace_by_text(path: Path) -> None:
    (path.parent / "new").write_text("not a ledger, but a text of some length\n" * 50)
    (path.parent / "new").replace(path)


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a ledger, but a text of some length\n" * 500)


def replace_by_another_ledger(path: Path) -> None:
    with Ledger(path.parent.parent / "another") as another:
        store_voice(another, "theirs", "voice_theirs")
    shutil.copy(Path(another.place), path.parent / "new")
    (path.parent / "new").replace(path)


REPAIRED = [delete, delete_with_log, delete_log, delete_folder, move, empty, replace_by_backup]
NOT_REPAIRED = [replace_by_text, overwrite]


def run_with_history(tmp_path: Path, warnings: list[str]) -> Ledger:
    """A run whose ledger knows the voice of an earlier one."""
    with Ledger(tmp_path / "home") as earlier:
        store_voice(earlier, "old", "voice_old")
    shutil.copy(Path(earlier.place), backup_of(Path(earlier.place)))
    return Ledger(tmp_path / "home", warn=warnings.append)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be deleted or replaced")
@pytest.mark.parametrize("accident", [*REPAIRED, *NOT_REPAIRED, replace_by_another_ledger])
def test_no_call_is_made_after_an_accident_to_the_ledger(tmp_path: Path, accident: Callable[[Path], None]) -> None:
    with contextlib.closing(run_with_history(tmp_path, [])) as ledger:
        claimed = start_attempt(ledger, "new")
        ledger.require_in_place()
        accident(Path(ledger.place))
        with pytest.raises(LedgerFailed, match=r"deleted|emptied|replaced|damaged"):
            ledger.attempts.called(claimed, NOW)
        if accident is not overwrite:  # which leaves the file where it is: reading it tells
            with pytest.raises(LedgerFailed, match="while it was in use"):
                ledger.require_in_place()
            with pytest.raises(LedgerFailed):
                start_attempt(ledger, "newer")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be deleted or replaced")
@pytest.mark.parametrize("accident", REPAIRED)
def test_a_paid_voice_is_stored_in_the_file_that_the_next_run_opens(
    tmp_path: Path, accident: Callable[[Path], None]
) -> None:
    warnings: list[str] = []
    with run_with_history(tmp_path, warnings) as ledger:
        other = start_attempt(ledger, "other")
        ledger.attempts.called(other, NOW)
        paid = start_attempt(ledger, "new")
        ledger.attempts.called(paid, NOW)
        accident(Path(ledger.place))
        assert ledger.attempts.gave_voice(paid, "voice_new", NOW, NOW + WEEK) == "new"
        assert len([warning for warning in warnings if "was written again" in warning]) == 1
        ledger.require_in_place()
        with Ledger(Path(ledger.place).parent) as beside:  # this run still lives
            assert isinstance(claim(beside, "new"), Known)
            assert beside.attempts.unknown() == []
        ledger.attempts.ended(other, "unknown", "outcome-unknown", "lost")
        ledger.attempts.called(start_attempt(ledger, "third"), NOW)
    with Ledger(Path(ledger.place).parent) as following:
        assert {voice.voice_id for voice in following.voices.all()} == {"voice_old", "voice_new"}
        assert isinstance(claim(following, "old"), Known)
        assert isinstance(claim(following, "other"), Unsettled)
        assert isinstance(claim(following, "third"), Unsettled)
    with contextlib.closing(sqlite3.connect(Path(ledger.place))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be deleted or replaced")
def test_rows_in_memory_are_written_again_if_the_open_file_is_damaged(tmp_path: Path) -> None:
    """The file is emptied after a checkpoint: SQLite can no longer read any of it."""
    with run_with_history(tmp_path, []) as ledger:
        for number in range(40):  # more pages than the cache is then allowed to hold
            store_voice(ledger, f"take{number}", f"voice_{number}")
        speech = ledger.speeches.begin(ledger.voices.find("voice_old"), "say", "text", "speech-2.8-hd")
        paid = start_attempt(ledger, "new")
        ledger.attempts.called(paid, NOW)
        connection = sqlite_of(ledger)._connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA shrink_memory")
        empty(Path(ledger.place))
        ledger.attempts.gave_voice(paid, "voice_new", NOW, NOW + WEEK)
        ledger.speeches.ended(speech, "unknown", "outcome-unknown")
    with Ledger(Path(ledger.place).parent) as following:
        known = {voice.voice_id for voice in following.voices.all()}
        assert known == {"voice_old", "voice_new", *(f"voice_{number}" for number in range(40))}
        assert [call.id for call in following.speeches.unknown()] == [speech]
        assert isinstance(claim(following, "new"), Known)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be deleted or replaced")
@pytest.mark.parametrize("accident", [replace_by_text, replace_by_another_ledger])
def test_a_file_that_replaced_the_ledger_is_left_alone_and_the_content_is_rescued(
    tmp_path: Path, accident: Callable[[Path], None]
) -> None:
    warnings: list[str] = []
    ledger = run_with_history(tmp_path, warnings)
    paid = start_attempt(ledger, "new")
    ledger.attempts.called(paid, NOW)
    accident(Path(ledger.place))
    expected: Any = contextlib.nullcontext()
    if accident is replace_by_text:
        expected = pytest.raises(LedgerFailed, match="not a ledger")
    with expected:
        ledger.attempts.gave_voice(paid, "voice_new", NOW, NOW + WEEK)
    ledger.close()
    (rescued,) = Path(ledger.place).parent.glob("ledger.rescued-*.sqlite3")
    assert any(str(rescued) in warning for warning in warnings)
    with pytest.raises(LedgerFailed, match=r"not a ledger|is not the ledger that was here before"):
        Ledger(Path(ledger.place).parent)
    rescued.replace(Path(ledger.place))
    (Path(ledger.place).parent / "ledger.id").unlink()
    with Ledger(Path(ledger.place).parent) as following:
        assert isinstance(claim(following, "old"), Known)
        assert [attempt.id for attempt in following.attempts.unknown()] == [paid]


@pytest.mark.parametrize("accident", [delete, delete_with_log, move, empty, replace_by_text, replace_by_another_ledger])
def test_an_accident_between_two_runs_is_reported_by_the_next_run(
    tmp_path: Path, accident: Callable[[Path], None]
) -> None:
    with Ledger(tmp_path / "home") as ledger:
        store_voice(ledger)
    accident(Path(ledger.place))
    before = {path: path.read_bytes() for path in Path(ledger.place).parent.iterdir() if path.is_file()}
    for _ in range(2):
        with pytest.raises(LedgerFailed, match=r"is missing|0 bytes|not a ledger|not the ledger") as raised:
            Ledger(tmp_path / "home")
        assert raised.value.hint
    assert {path: path.read_bytes() for path in Path(ledger.place).parent.iterdir() if path.is_file()} == before


def test_an_empty_file_is_damage_even_if_there_was_no_ledger(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(LedgerFailed, match="0 bytes"):
        Ledger(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let a mapped file be shortened")
@pytest.mark.parametrize("size", [0, 1000])
def test_an_index_of_the_log_that_is_shortened_is_built_again(tmp_path: Path, size: int) -> None:
    """SQLite maps it: without its former length, the next access would end the process."""
    warnings: list[str] = []
    with contextlib.closing(run_with_history(tmp_path, warnings)) as ledger:
        paid = start_attempt(ledger, "new")
        ledger.attempts.called(paid, NOW)
        os.truncate(Path(ledger.place).with_name(NAMES[2]), size)
        assert ledger.attempts.gave_voice(paid, "voice_new", NOW, NOW + WEEK) == "new"
        os.truncate(Path(ledger.place).with_name(NAMES[2]), size)
    assert warnings == []
    with Ledger(tmp_path / "home") as again:
        assert {voice.voice_id for voice in again.voices.all()} == {"voice_old", "voice_new"}


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let a mapped file be shortened")
def test_a_paid_voice_is_stored_after_all_files_were_emptied(tmp_path: Path) -> None:
    warnings: list[str] = []
    with contextlib.closing(run_with_history(tmp_path, warnings)) as ledger:
        paid = start_attempt(ledger, "new")
        ledger.attempts.called(paid, NOW)
        empty_all(Path(ledger.place))
        assert ledger.attempts.gave_voice(paid, "voice_new", NOW, NOW + WEEK) == "new"
    assert len([warning for warning in warnings if "was written again" in warning]) == 1
    with Ledger(tmp_path / "home") as again:
        assert "voice_new" in {voice.voice_id for voice in again.voices.all()}


@parametrize_some("accident", [delete, empty, replace_by_text], fast=1)
@pytest.mark.slow
def test_the_command_makes_no_paid_call_after_an_accident(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, accident: Callable[[Path], None]
) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger)
    accident(Path(ledger.place))
    with ScriptedServer(answers(200, {"voice_id": "store_voice"})) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        for arguments in (("clone", GOOD), ("clone", GOOD, "--dry-run"), ("voices",), ("doctor",)):
            ran = say(*arguments)
            assert ran.status == 2, arguments
            assert FILE_NAME in ran.err + ran.out
            assert "bug" not in ran.err + ran.out
        assert endpoint.connections == 0
    assert services.objects() == {}


@pytest.mark.parametrize("accident", [delete, empty, move])
def test_the_command_stores_a_voice_if_the_ledger_disappears_during_the_call(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, accident: Callable[[Path], None]
) -> None:
    path = home / "onetake" / FILE_NAME

    def answers_after_the_accident(line: Any, server: ScriptedServer) -> None:
        accident(path)
        answers(200, {"voice_id": "voice_paid"})(line, server)

    with ScriptedServer(answers_after_the_accident) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", GOOD)
        assert ran.status == 0
        assert "was written again" in ran.err
        assert "voice_paid" in say("voices").out
        assert "(known: nothing was sent)" in say("clone", GOOD).out
        assert endpoint.connections == 1
