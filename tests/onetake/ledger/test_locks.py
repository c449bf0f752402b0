"""Which runs are alive: by file locks, and without them by process id and time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed
from onetake.io.locks import LockState, acquire, locks_work_in
from onetake.ledger import Claimed, InProgress, Ledger
from onetake.ledger.runs import Runs
from tests.support.ledgers import NOW, claim, sqlite_of, start_attempt

WARNINGS: list[str] = []


def without_locks(handle: int) -> LockState:
    """Behave like `acquire` on a file system without locks."""
    os.fstat(handle)
    return LockState.UNSUPPORTED


def record_file(folder: Path, *, host: str, pid: int, at: float, age_s: float = 0.0) -> str:
    """Write the lock file of a run."""
    name = os.urandom(8).hex()
    path = folder / f"{name}.lock"
    path.write_text(json.dumps({"host": host, "pid": pid, "at": at}))
    os.utime(path, (time.time() - age_s,) * 2)
    return name


@pytest.fixture
def here() -> str:
    return platform.node()


def test_a_held_lock_differs_from_an_unsupported_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "lock").open("w") as one, (tmp_path / "lock").open("w") as other:
        assert acquire(one.fileno()) is LockState.ACQUIRED
        assert acquire(other.fileno()) is LockState.HELD_ELSEWHERE
    assert locks_work_in(tmp_path)
    fcntl = pytest.importorskip("fcntl")
    for code in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):

        def refuse(*_: object, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(fcntl, "flock", refuse)
        with (tmp_path / "lock").open("w") as one:
            assert acquire(one.fileno()) is LockState.UNSUPPORTED
        assert not locks_work_in(tmp_path)


def test_without_locks_the_process_id_decides(tmp_path: Path, here: str) -> None:
    runs = Runs(tmp_path, WARNINGS.append, without_locks)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        living = record_file(tmp_path, host=here, pid=process.pid, at=time.time())
        # the process that has the number now began long after the one that wrote the record
        reused = record_file(tmp_path, host=here, pid=process.pid, at=time.time() - 3600)
        assert runs.is_alive(living)
        assert not runs.is_alive(reused)
        process.communicate(b"\n")
    assert not runs.is_alive(living)
    assert runs.is_alive(runs.own)
    runs.release()
    assert not runs.is_alive(runs.own)


@pytest.mark.parametrize("lock", [without_locks, acquire])
def test_a_run_on_another_computer_is_alive_while_it_writes(tmp_path: Path, lock: Callable[[int], LockState]) -> None:
    runs = Runs(tmp_path, WARNINGS.append, lock)
    assert runs.is_alive(record_file(tmp_path, host="elsewhere", pid=1, at=time.time(), age_s=60))
    assert not runs.is_alive(record_file(tmp_path, host="elsewhere", pid=1, at=time.time(), age_s=7200))
    os.utime(tmp_path / f"{runs.own}.lock", (0, 0))
    runs.touch()
    assert time.time() - (tmp_path / f"{runs.own}.lock").stat().st_mtime < 60
    runs.release()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\x00", b"[" * 5_000, b'{"host": 1}'])
def test_an_unlocked_file_without_a_record_belongs_to_a_dead_run(tmp_path: Path, content: bytes) -> None:
    runs = Runs(tmp_path, WARNINGS.append)
    (tmp_path / f"{'a' * 16}.lock").write_bytes(content)
    assert not runs.is_alive("a" * 16)
    for impossible in ("", "../x", "a\0b", "a" * 17, "A" * 16):
        assert not runs.is_alive(impossible)
    runs.release()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_with_the_name_of_a_lock_does_not_block(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        os.mkfifo(tmp_path / "runs" / f"{'b' * 16}.lock")
        os.utime(tmp_path / "runs" / f"{'b' * 16}.lock", (0, 0))
        start_attempt(ledger)
    with Ledger(tmp_path) as ledger:
        assert isinstance(claim(ledger), Claimed)


PRELOAD = """
#include <errno.h>
int flock(int handle, int operation) { errno = ENOLCK; return -1; }
"""


@pytest.fixture(scope="module")
def no_flock(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `flock` fails as on NFS without a lock daemon."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("this needs a C compiler and LD_PRELOAD")
    folder = tmp_path_factory.mktemp("preload")
    (folder / "no_flock.c").write_text(PRELOAD)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", folder / "no_flock.so", folder / "no_flock.c"], check=True, timeout=120
    )
    return {**os.environ, "LD_PRELOAD": str(folder / "no_flock.so")}


BEGIN = """
import sys, pathlib
from onetake.ledger import Ledger; from tests.support.ledgers import NOW, start_attempt
ledger = Ledger(pathlib.Path(sys.argv[1]))
ledger.attempts.called(start_attempt(ledger), NOW)
print("ready", flush=True)
sys.stdin.read()
"""
LOOK = """
import sys, pathlib
from onetake.ledger import Ledger; from tests.support.ledgers import claim
with Ledger(pathlib.Path(sys.argv[1])) as ledger:
    print(type(claim(ledger)).__name__)
"""


@pytest.mark.slow
def test_a_killed_run_is_dead_even_without_flock(tmp_path: Path, no_flock: dict[str, str]) -> None:
    def look() -> str:
        command = [sys.executable, "-c", LOOK, str(tmp_path)]
        done = subprocess.run(command, env=no_flock, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout.strip()

    command = [sys.executable, "-c", BEGIN, str(tmp_path)]
    with subprocess.Popen(command, env=no_flock, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert look() == "InProgress"
        process.kill()
    assert look() == "Unsettled"


def test_a_file_system_without_locks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reports it as busy; the error message tries a lock to find the reason."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with contextlib.closing(Ledger(tmp_path, wait_s=0.1)) as ledger, contextlib.closing(Ledger(tmp_path)) as beside:
        assert isinstance(claim(ledger), Claimed)
        sqlite_of(beside)._connection.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(fcntl, "lockf", refuse)
        with pytest.raises(LedgerFailed, match="has no file locks") as raised:
            ledger.attempts.called("x", NOW)
        assert "local disk" in raised.value.hint
        monkeypatch.undo()
        sqlite_of(beside)._connection.execute("ROLLBACK")
        assert isinstance(claim(beside), InProgress)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_run_that_ends_removes_its_file_where_open_files_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    runs = Runs(tmp_path, WARNINGS.append)
    unlink = Path.unlink

    def remove(path: Path, missing_ok: bool = False) -> None:
        opened = []
        for handle in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                opened.append(handle.readlink())
        if path in opened:
            raise PermissionError(errno.EACCES, "it is open")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", remove)
    assert len(list(tmp_path.glob("*.lock"))) == 1
    runs.release()
    assert list(tmp_path.glob("*.lock")) == []
