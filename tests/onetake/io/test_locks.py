"""Locks on open files: held, released with the file, or not supported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from onetake.io.locks import LockState, acquire, locks_work_in, try_lock

HOLD = """
import sys
from onetake.io.locks import acquire
file = open(sys.argv[1], "w")
print(acquire(file.fileno()).value, flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as first, path.open("w") as second:
        assert acquire(first.fileno()) is LockState.ACQUIRED
        assert acquire(second.fileno()) is LockState.HELD_ELSEWHERE
        assert not try_lock(second.fileno())
    with path.open("w") as third:
        assert acquire(third.fileno()) is LockState.ACQUIRED


def test_the_system_releases_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "acquired\n"
        with path.open("w") as file:
            assert acquire(file.fileno()) is LockState.HELD_ELSEWHERE
            holder.kill()
            holder.wait()
            assert acquire(file.fileno()) is LockState.ACQUIRED


def test_a_descriptor_that_is_not_open_cannot_be_locked(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    assert acquire(descriptor) is LockState.UNSUPPORTED
    assert not try_lock(descriptor)


def test_the_temporary_folder_supports_locks(tmp_path: Path) -> None:
    assert locks_work_in(tmp_path)
    assert locks_work_in(tmp_path / "missing")  # an error that says nothing about locks
