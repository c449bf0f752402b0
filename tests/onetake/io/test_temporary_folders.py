"""Scratch folders of killed runs are removed by the next run; those of running ones are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onetake.errors import UsageError
from onetake.io.received_audio import save_elsewhere
from onetake.io.temporary_folders import PREFIX, remove_abandoned, scratch_folder
from tests.onetake.conftest import Say

HOLD = """
import sys
from onetake.io.temporary_folders import scratch_folder
with scratch_folder() as folder:
    (folder / "recording").mkdir()
    (folder / "recording" / "take.wav").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_a_scratch_folder_is_private_and_removed(temporary: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "take.wav").write_bytes(b"x")
    assert list(temporary.iterdir()) == []


def test_the_next_run_removes_folders_of_killed_runs(home: Path, say: Say) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert say("voices").status == 0
        assert (folder / "recording" / "take.wav").exists()  # its process is running
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.exists()
    assert say("voices").status == 0
    assert not folder.exists()


def test_a_folder_of_this_process_is_not_removed_by_it(temporary: Path) -> None:
    with scratch_folder() as first, scratch_folder() as second:
        remove_abandoned()
        assert first.exists()
        assert second.exists()


def test_a_folder_without_a_lock_is_removed_only_when_it_is_old(temporary: Path) -> None:
    young, old = temporary / f"{PREFIX}young", temporary / f"{PREFIX}old"
    for folder in (young, old):
        folder.mkdir()
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    remove_abandoned()
    assert [path.name for path in temporary.iterdir()] == [young.name]


def test_links_and_fifos_are_left_alone(temporary: Path) -> None:
    kept = temporary / "kept"
    kept.mkdir()
    (kept / "lock").touch()
    (temporary / f"{PREFIX}link").symlink_to(kept)
    (temporary / f"{PREFIX}file").touch()
    fifo = temporary / f"{PREFIX}fifo"
    fifo.mkdir()
    os.mkfifo(fifo / "lock")
    locked_elsewhere = temporary / f"{PREFIX}locklink"
    locked_elsewhere.mkdir()
    (locked_elsewhere / "lock").symlink_to(kept / "lock")
    before = sorted(temporary.rglob("*"))
    remove_abandoned()
    assert sorted(temporary.rglob("*")) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_left_alone(temporary: Path) -> None:
    folder = temporary / f"{PREFIX}other"
    folder.mkdir()
    (folder / "lock").touch()
    os.chown(folder, 65534, 65534)
    remove_abandoned()
    assert folder.exists()


def test_without_a_temporary_folder_the_error_names_the_setting(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(home / "missing")])
    with pytest.raises(UsageError, match="no folder for temporary files") as raised, scratch_folder():
        pass
    assert raised.value.hint == "set TMPDIR to one"
    saved = save_elsewhere(Path("out.mp3"), b"paid for")  # in the folder of the ledger, which is tried first
    assert saved is not None
    assert saved.read_bytes() == b"paid for"
