"""Ledger files that others can read are made private; an open settings file is only reported."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from onetake.ledger import FILE_NAME, Known, Ledger
from tests.onetake.conftest import Say
from tests.support.ledgers import claim, start_attempt, store_voice
from tests.support.selection import parametrize_some

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_new_files_are_private_with_any_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    before = os.umask(umask)
    try:
        with Ledger(tmp_path / "home") as ledger:
            start_attempt(ledger)
            for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", "ledger.id"):
                assert mode(tmp_path / "home" / name) == 0o600, name
    finally:
        os.umask(before)


@pytest.mark.parametrize("file_mode", [0o644, 0o666, 0o640, 0o777])
def test_a_ledger_that_others_can_read_is_made_private(tmp_path: Path, file_mode: int) -> None:
    with Ledger(tmp_path / "home") as ledger:
        store_voice(ledger)
    Path(ledger.place).chmod(file_mode)
    warnings: list[str] = []
    with Ledger(tmp_path / "home", warn=warnings.append) as ledger:
        assert isinstance(claim(ledger), Known)
        for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"):
            assert mode(Path(ledger.place).parent / name) & 0o077 == 0
    assert [str(Path(ledger.place)) in warning and f"{file_mode:04o}" in warning for warning in warnings] == [True]
    with Ledger(tmp_path / "home", warn=warnings.append):
        assert len(warnings) == 1


@pytest.mark.parametrize(("folder_mode", "after"), [(0o777, 0o700), (0o775, 0o700), (0o755, 0o755), (0o1777, 0o1777)])
def test_a_folder_that_others_can_write_to_is_made_private(tmp_path: Path, folder_mode: int, after: int) -> None:
    """Listing is harmless; write permission allows replacing the ledger, unless the sticky bit is set."""
    folder = tmp_path / "home"
    with Ledger(folder):
        pass
    for path in (folder, folder / "runs"):
        path.chmod(folder_mode)
    warnings: list[str] = []
    with Ledger(folder, warn=warnings.append):
        assert (mode(folder), mode(folder / "runs")) == (after, after)
    assert len(warnings) == (2 if folder_mode != after else 0)


@pytest.mark.slow
def test_the_command_warns_of_open_permissions(say: Say, home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger)
    Path(ledger.place).chmod(0o666)
    ran = say("voices", "--json")
    assert ran.status == 0
    assert "was open to other users (mode 0666)" in ran.err
    assert json.loads(ran.out)["voices"][0]["voice_id"] == "voice_1"
    Path(ledger.place).chmod(0o644)
    (part,) = [part for part in json.loads(say("doctor", "--json").out)["parts"] if part["name"] == "ledger"]
    assert part["status"] == 0
    assert "mode 0644" in part["warnings"][0]
    assert mode(Path(ledger.place)) == 0o600


@parametrize_some(
    ("text", "file_mode", "words"),
    [
        ('api_key = "sk-1"', 0o600, ""),
        ('api_key = "sk-1"', 0o644, "holds api_key and can be read by other users (mode 0644)"),
        ('secret_access_key = "x"\naccess_key_id = "y"', 0o640, "can be read by other users"),
        ('bucket = "takes"', 0o644, ""),
        ('bucket = "takes"', 0o666, "can be changed by other users (mode 0666)"),
        ('api_key = "sk-1"', 0o620, "can be changed by other users"),
    ],
    fast=2,
)
def test_config_and_doctor_warn_of_an_exposed_settings_file(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch, text: str, file_mode: int, words: str
) -> None:
    path = home / "my.toml"
    path.write_text(text)
    path.chmod(file_mode)
    monkeypatch.setenv("ONETAKE_CONFIG", str(path))
    ran = say("config")
    assert ran.status == 0
    assert words in ran.err
    assert ("chmod 600" in ran.err) is bool(words)
    warnings = json.loads(say("config", "--json").out)["warnings"]
    assert [words in warning["message"] for warning in warnings] == [True] * bool(words)
    (part,) = [part for part in json.loads(say("doctor", "--json").out)["parts"] if part["name"] == "settings"]
    assert part["status"] == 0
    assert [words in warning for warning in part["warnings"]] == [True] * bool(words)
    assert mode(path) == file_mode
