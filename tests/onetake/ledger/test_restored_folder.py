"""A ledger whose whole folder was deleted, or is an older copy: the mark of the last call, outside it, shows that."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed
from onetake.ledger import Claimed, Known, Ledger
from onetake.ledger.file_identity import CallMark
from onetake.ledger.sqlite_schema import MIGRATIONS
from tests.onetake.conftest import Say
from tests.support.ledgers import NOW, claim, clone_key_of, sqlite_of, start_attempt, store_voice
from tests.support.services import FIXTURES, Services

GOOD, GOOD_M4A = (str(FIXTURES / name) for name in ("good.wav", "good.m4a"))
OLDER = r"older copy.*lacks the last paid call"


def mark_of(ledger: Ledger) -> Path:
    database = sqlite_of(ledger)
    return CallMark(database.path).path


def restored(home: Path) -> Path:
    """The folder of a ledger as it was before its last call; its mark."""
    folder = home / "onetake"
    with Ledger(folder) as ledger:
        store_voice(ledger, "first", "voice_1")
    shutil.copytree(folder, home / "backup")
    with Ledger(folder) as ledger:
        store_voice(ledger, "second", "voice_2")
        mark = mark_of(ledger)
    shutil.rmtree(folder)
    (home / "backup").rename(folder)
    return mark


def test_no_call_is_made_with_an_older_copy_until_that_is_accepted(home: Path) -> None:
    mark = restored(home)
    with Ledger(home / "onetake") as ledger:
        assert isinstance(claim(ledger, "first"), Known)
        with pytest.raises(LedgerFailed, match=OLDER) as caught:
            claim(ledger, "second")
        voice = ledger.voices.find("first")
        with pytest.raises(LedgerFailed, match=OLDER):
            ledger.speeches.begin(voice, "say", "text", "model")
        assert repr(str(mark)) in caught.value.hint
        mark.unlink()
        store_voice(ledger, "second", "voice_3")
        ledger.require_latest()


def test_no_call_is_made_after_the_folder_was_deleted_until_that_is_accepted(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
        mark = mark_of(ledger)
    shutil.rmtree(home / "onetake")
    with Ledger(home / "onetake", read_only=True) as ledger, pytest.raises(LedgerFailed, match=OLDER):
        ledger.require_latest()
    with Ledger(home / "onetake") as ledger:
        with pytest.raises(LedgerFailed, match=OLDER):
            claim(ledger, "first")
        mark.unlink()
        store_voice(ledger, "first", "voice_2")


def test_a_deleted_ledger_names_all_files_that_stand_for_its_calls(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
        mark, database = mark_of(ledger), Path(ledger.place)
    database.unlink()
    with pytest.raises(LedgerFailed, match="is missing") as caught:
        Ledger(home / "onetake")
    identity = home / "onetake" / "ledger.id"
    assert f"delete {str(identity)!r} and {str(mark)!r}: " in caught.value.hint
    for path in (identity, mark):
        path.unlink()
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_2")


def test_the_newer_folder_is_accepted_again(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
    shutil.copytree(home / "onetake", home / "older")
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "second", "voice_2")
    (home / "onetake").rename(home / "newer")
    (home / "older").rename(home / "onetake")
    with Ledger(home / "onetake") as ledger, pytest.raises(LedgerFailed, match=OLDER):
        ledger.require_latest()
    shutil.rmtree(home / "onetake")
    (home / "newer").rename(home / "onetake")
    with Ledger(home / "onetake") as ledger:
        ledger.require_latest()


def test_a_speech_call_counts_as_well(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
    shutil.copytree(home / "onetake", home / "older")
    with Ledger(home / "onetake") as ledger:
        ledger.speeches.begin(ledger.voices.find("first"), "keep", "text", "model")
    shutil.rmtree(home / "onetake")
    (home / "older").rename(home / "onetake")
    with Ledger(home / "onetake", read_only=True) as ledger, pytest.raises(LedgerFailed, match=OLDER):
        ledger.require_latest()


def test_forgotten_calls_and_written_again_ledgers_are_no_older_copies(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
        ledger.voices.forget(ledger.voices.find("first"))
        ledger.require_latest()
        paid = start_attempt(ledger, "second")
        ledger.attempts.called(paid, NOW)
        if os.name != "nt":
            shutil.rmtree(home / "onetake")
        ledger.attempts.gave_voice(paid, "voice_2", NOW, NOW)
        ledger.require_latest()
    with Ledger(home / "onetake") as ledger:
        ledger.require_latest()


def test_a_copy_that_is_used_at_another_place_is_not_compared(home: Path) -> None:
    restored(home)
    (home / "onetake").rename(home / "moved")
    with Ledger(home / "moved") as ledger:
        ledger.require_latest()


def remove_folder(mark: Path) -> None:
    shutil.rmtree(mark.parent)


def replace_folder_by_a_file(mark: Path) -> None:
    shutil.rmtree(mark.parent)
    mark.parent.touch()


def replace_by_a_folder(mark: Path) -> None:
    mark.unlink()
    mark.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        remove_folder,
        replace_folder_by_a_file,
        replace_by_a_folder,
        lambda mark: mark.write_bytes(b""),
        lambda mark: mark.write_bytes(b"\xff" * 99),
    ],
)
def test_a_mark_that_is_lost_or_cannot_be_written_stops_nothing(home: Path, damage: Callable[[Path], None]) -> None:
    damage(restored(home))
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "second", "voice_2")
        ledger.require_latest()


def test_a_user_without_a_home_folder_gets_no_mark(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("~/.cache/onetake"))
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "first", "voice_1")
        ledger.require_latest()
    assert not Path("~").exists()


def test_the_calls_of_an_existing_ledger_are_known(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        attempt = store_voice(ledger, "first", "voice_1")
        path = Path(ledger.place)
    with sqlite3.connect(path) as connection:
        for name in ("call_of_attempt", "call_of_new_attempt", "call_of_speech"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DROP TABLE calls")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    connection.close()
    with Ledger(home / "onetake") as ledger:
        ledger.require_latest()
        assert [tuple(row) for row in sqlite_of(ledger).rows("SELECT id FROM calls")] == [(attempt,)]


def test_rehearsals_leave_no_mark(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        claimed = ledger.attempts.claim(clone_key_of(), base_url="http://127.0.0.1:9/v1", options={})
        assert isinstance(claimed, Claimed)
        ledger.attempts.called(claimed.attempt, NOW)
        assert not mark_of(ledger).exists()


@pytest.mark.slow
def test_commands_stop_before_anything_is_sent(
    home: Path, say: Say, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = restored(home)
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    charged = services.endpoint.account()["clones_charged"]
    for command in (
        ("clone", GOOD),
        ("clone", GOOD, "--json"),
        ("clone", GOOD, "--dry-run"),
        ("clone", GOOD, GOOD_M4A, "--yes"),
    ):
        ran = say(*command)
        assert ran.status == 2
        assert "older copy" in ran.err + ran.out
    assert "older copy" in say("doctor").out
    assert services.endpoint.account()["clones_charged"] == charged
    assert services.objects() == {}
    mark.unlink()
    assert say("clone", GOOD).status == 0
