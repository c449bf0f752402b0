"""What killed sandboxes left is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from onetake.sandbox import supervisor

HOLD = "import sys, fcntl; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def folder_with(place: Path, name: str, *files: str) -> Path:
    folder = place / f"onetake-sandbox-{name}"
    folder.mkdir()
    for file in files:
        (folder / file).touch()
    return folder


def test_what_a_dead_one_left_is_removed(place: Path) -> None:
    dead = folder_with(place, "dead", "lock", "weed.log")
    old = folder_with(place, "old", "weed.log")
    os.utime(old, (1, 1))
    young = folder_with(place, "young")
    foreign = folder_with(place, "x", "lock").rename(place / "other")
    supervisor._remove_leftovers()
    assert not dead.exists()
    assert not old.exists()
    assert young.is_dir()  # about to be locked
    assert foreign.is_dir()


def test_what_a_living_one_uses_stays(place: Path) -> None:
    used = folder_with(place, "used", "lock")
    command = [sys.executable, "-c", HOLD, str(used / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        supervisor._remove_leftovers()
        assert used.is_dir()
        holder.kill()
    supervisor._remove_leftovers()
    assert not used.exists()


def test_something_else_in_place_of_a_lock_or_folder_stays_and_nobody_waits_for_it(place: Path) -> None:
    precious = place / "precious"
    precious.mkdir()
    (precious / "lock").touch()
    (place / "onetake-sandbox-link").symlink_to(precious)
    (place / "onetake-sandbox-file").touch()
    pipe = folder_with(place, "pipe")
    os.mkfifo(pipe / "lock")
    linked = folder_with(place, "linked")
    (linked / "lock").symlink_to(precious / "lock")
    supervisor._remove_leftovers()
    assert sorted(path.name for path in place.iterdir()) == [
        *(f"onetake-sandbox-{name}" for name in ("file", "link", "linked", "pipe")),
        "precious",
    ]
    assert (precious / "lock").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder that is another user's")
def test_folders_of_other_users_stay(place: Path) -> None:
    foreign = folder_with(place, "foreign", "lock")
    os.chown(foreign, 12345, 12345)
    supervisor._remove_leftovers()
    assert foreign.is_dir()


def test_a_folder_is_private_and_gone_afterwards(place: Path) -> None:
    with supervisor._own_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        supervisor._remove_leftovers()
        assert folder.is_dir()
    assert list(place.iterdir()) == []
