"""Temporary files that a killed process left beside its output."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from preflight.fixes.write import (
    TEMPORARY_PREFIX,
    remove_abandoned,
)


def leftover(folder: Path, name: str = f"{TEMPORARY_PREFIX}0123.wav", age_s: float = 120.0) -> Path:
    path = folder / name
    path.write_bytes(b"partial")
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return path


def test_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    gone = leftover(tmp_path)
    kept = [
        leftover(tmp_path, f"{TEMPORARY_PREFIX}young.wav", 5.0),
        leftover(tmp_path, f"{TEMPORARY_PREFIX}other.txt"),
        leftover(tmp_path, "take.wav"),
    ]
    (tmp_path / f"{TEMPORARY_PREFIX}folder.wav").mkdir()
    (tmp_path / f"{TEMPORARY_PREFIX}link.wav").symlink_to(kept[-1])
    remove_abandoned(tmp_path)
    assert not gone.exists()
    assert all(path.exists() for path in kept)
    assert len(list(tmp_path.iterdir())) == 5


def test_the_file_of_a_running_process_is_kept(tmp_path: Path) -> None:
    path = leftover(tmp_path)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_abandoned(tmp_path)
        assert path.exists()
    remove_abandoned(tmp_path)
    assert not path.exists()


def test_a_folder_that_cannot_be_listed_is_ignored(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "missing")
