"""The files of a ledger: the log of a killed run, that of another file, creation by two processes, unusual names."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed
from onetake.ledger import FILE_NAME, Known, Ledger
from tests.onetake.ledger.test_accidents import delete_with_log
from tests.support.ledgers import claim, sqlite_of, store_voice


def killed_with_log(folder: Path, number: int) -> tuple[Path, Path]:
    """Copies of a ledger and of the log that a killed run left beside it."""
    with Ledger(folder) as ledger:
        for voice in range(number):
            store_voice(ledger, f"take{voice}", f"voice_{voice}")
        copies = folder / "copy", folder / "copy-wal"
        shutil.copy(Path(ledger.place), copies[0])
        shutil.copy(f"{Path(ledger.place)}-wal", copies[1])
    return copies


def test_the_log_of_a_killed_run_is_applied(tmp_path: Path) -> None:
    ledger, log = killed_with_log(tmp_path / "former", 3)
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ledger, home / FILE_NAME)
    shutil.copy(log, home / f"{FILE_NAME}-wal")
    with Ledger(home) as opened:
        assert len(opened.voices.all()) == 3


def test_the_log_of_another_file_is_not_applied(tmp_path: Path) -> None:
    _, log = killed_with_log(tmp_path / "former", 60)
    home = tmp_path / "home"
    with Ledger(home) as ledger:
        store_voice(ledger)
    shutil.copy(log, home / f"{FILE_NAME}-wal")
    before = Path(ledger.place).read_bytes()
    with pytest.raises(LedgerFailed, match="damaged") as raised:
        Ledger(home)
    assert f"delete {FILE_NAME}-wal" in raised.value.hint
    assert Path(ledger.place).read_bytes() == before
    (home / f"{FILE_NAME}-wal").unlink()
    with Ledger(home) as ledger:
        assert isinstance(claim(ledger), Known)


def test_two_processes_create_one_ledger(tmp_path: Path) -> None:
    """Neither sees the file of the other before it is complete."""
    import threading

    found: list[str] = []
    errors: list[BaseException] = []
    gate = threading.Barrier(4)

    def open_it() -> None:
        gate.wait()
        try:
            with Ledger(tmp_path / "home") as ledger:
                found.append(sqlite_of(ledger).identity)
        except LedgerFailed as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(found)) == 1
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["ledger.id", FILE_NAME, "runs"]


@pytest.mark.parametrize("name", ["with ? and # and %20", "\u00fc\u4e2d", os.fsdecode(b"no-utf8-\xff")])
def test_folders_with_unusual_names_work(tmp_path: Path, name: str) -> None:
    try:
        (tmp_path / name).mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    with Ledger(tmp_path / name) as ledger:
        store_voice(ledger)
    with Ledger(tmp_path / name) as ledger:
        assert isinstance(claim(ledger), Known)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_normal_changes_of_the_folder_raise_no_alarm(tmp_path: Path) -> None:
    """On a first use, after a backup of the folder is restored, when the record is lost, and when all is removed."""
    folder = tmp_path / "home"
    with Ledger(folder) as ledger:
        store_voice(ledger)
    shutil.copytree(folder, tmp_path / "backup")
    with Ledger(folder) as ledger:
        store_voice(ledger, "later", "voice_2")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    (folder / "ledger.id").unlink()
    with Ledger(folder) as ledger:
        assert isinstance(claim(ledger), Known)
    (folder / "ledger.id").write_bytes(b"\xff\x00 damaged")
    with Ledger(folder) as ledger:
        assert isinstance(claim(ledger), Known)
    shutil.rmtree(folder)
    with Ledger(folder) as ledger:
        assert ledger.voices.all() == []
    delete_with_log(Path(ledger.place))
    (folder / "ledger.id").unlink()  # as the hint says
    with Ledger(folder) as ledger:
        assert ledger.voices.all() == []


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(LedgerFailed, match="another program's database"):
        Ledger(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before
