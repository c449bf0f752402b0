"""Special files and files above the size limit are rejected by all functions without reading them."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import preflight
from preflight import limits
from preflight.errors import CannotOpen
from preflight.fixes.write import TEMPORARY_PREFIX
from preflight.input.source import Source
from preflight.worker.pool import Cancelled, WorkerPool, require_wanted
from tests.support.make_audio import FIXTURES, wav

GOOD = FIXTURES / "good.wav"
TERABYTE = 1 << 40


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.write(GOOD.read_bytes())
        file.truncate(size)
    return path


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


SPECIAL: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "named pipe"),
    "socket": (unix_socket, "socket"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "device"),
    "endless kernel file": (lambda path: path.symlink_to("/proc/kmsg"), "system file|permission"),
    "kernel file": (lambda path: path.symlink_to("/proc/version"), "system file"),
    "folder": (Path.mkdir, "no recording in this folder"),
    "terabyte": (lambda path: sparse(path, TERABYTE), r"1099\.5 GB, above the limit of 4295\.0 MB"),
    "one byte too many": (lambda path: sparse(path, limits.MAX_SOURCE_BYTES + 1), "above the limit"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="paths of Linux")
@pytest.mark.parametrize("kind", SPECIAL)
def test_special_and_huge_files_are_rejected_without_reading(kind: str, tmp_path: Path) -> None:
    make, words = SPECIAL[kind]
    path = tmp_path / "take.wav"
    make(path)
    for report in (preflight.check(path), preflight.check(path, quick=True), next(preflight.check_many([path]))):
        (finding,) = report.findings
        assert finding.rule == "unreadable"
        assert re.search(words, finding.message), finding.message
    with pytest.raises(preflight.CannotFix, match=words):
        preflight.fix(path, tmp_path / "out.wav")
    with pytest.raises(preflight.CannotFix, match=words):
        preflight.join([GOOD, path], tmp_path / "out.wav")
    with pytest.raises(preflight.PreflightError, match=words):
        preflight.prompt_clips(path)
    assert not (tmp_path / "out.wav").exists()


def test_a_file_of_the_maximum_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = GOOD.stat().st_size
    monkeypatch.setattr(limits, "MAX_SOURCE_BYTES", size)
    assert preflight.check(GOOD).verdict == "ready"
    monkeypatch.setattr(limits, "MAX_SOURCE_BYTES", size - 1)
    assert preflight.check(GOOD).verdict == "rejected"


@pytest.mark.parametrize("offset", [5, 6, 1 << 32, 1 << 63, 1 << 64])
def test_beyond_the_end_there_is_nothing(offset: int, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"12345")
    with Source.open(path) as source:
        assert source.read_at(4, 9) == b"5"
        assert source.read_at(offset, 9) == b""


def test_hashing_stops_when_the_check_is_cancelled(tmp_path: Path) -> None:
    workers, blocks = WorkerPool(), 0

    def on_block() -> None:
        nonlocal blocks
        blocks += 1
        if blocks == 2:
            workers.cancel()
        require_wanted()

    def work() -> None:
        workers.add_thread()
        with Source.open(path) as source:
            source.sha256(on_block)

    path = sparse(tmp_path / "large.wav", 1 << 30)
    ended: list[type[BaseException]] = []
    thread = threading.Thread(target=lambda: ended.append(_error_of(work)))
    thread.start()
    thread.join()
    assert (ended, blocks) == ([Cancelled], 2)


def _error_of(work: Callable[[], None]) -> type[BaseException]:
    with pytest.raises(BaseException) as caught:
        work()
    return caught.type


def test_the_digest_covers_the_size_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"first")
    with Source.open(path) as source:
        with path.open("ab") as file:
            file.write(b"second")
        assert source.sha256() == "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"


@contextlib.contextmanager
def nested(folder: Path, name: str, levels: int) -> Iterator[int]:
    """Yield the descriptor of the deepest folder; remove the folders iteratively, since pytest's cleanup recurses."""
    handles = [os.open(folder, os.O_RDONLY)]
    try:
        for _ in range(levels):
            os.mkdir(name, dir_fd=handles[-1])
            handles.append(os.open(name, os.O_RDONLY, dir_fd=handles[-1]))
        yield handles[-1]
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink("take.wav", dir_fd=handles[-1])
        while len(handles) > 1:
            os.close(handles.pop())
            os.rmdir(name, dir_fd=handles[-1])
        os.close(handles.pop())


def test_folders_nested_more_deeply_than_the_recursion_limit(tmp_path: Path) -> None:
    levels, limit = 400, sys.getrecursionlimit()
    with nested(tmp_path, "d", levels) as deepest:
        os.close(os.open("take.wav", os.O_CREAT | os.O_WRONLY, dir_fd=deepest))
        sys.setrecursionlimit(300)
        try:
            found = list(preflight.recordings_in(str(tmp_path)))
        finally:
            sys.setrecursionlimit(limit)
        assert found == [f"{tmp_path}{'/d' * levels}/take.wav"]


@pytest.mark.skipif(sys.platform != "linux", reason="PATH_MAX of Linux")
def test_folders_nested_beyond_the_maximum_path_length_are_reported(tmp_path: Path) -> None:
    (tmp_path / "take.wav").touch()
    with nested(tmp_path, "d" * 200, 25):
        first, second = preflight.recordings_in(str(tmp_path))
        assert first == str(tmp_path / "take.wav")
        assert "too long" in preflight.check(second).findings[0].message


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_an_output_has_the_permissions_of_the_umask(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        preflight.fix(GOOD, tmp_path / "out.wav")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.wav").stat().st_mode) == 0o666 & ~mask


def test_a_replaced_output_keeps_its_permissions_and_its_symlink(tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    real.touch(mode=0o640)
    real.chmod(0o640)
    link.symlink_to(real)
    preflight.fix(GOOD, link, force=True)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert preflight.check(real).verdict == "ready"


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_only_regular_files_are_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    SPECIAL[kind][0](path)
    before = path.lstat()
    with pytest.raises(preflight.BadOutput, match="not a regular file"):
        preflight.fix(GOOD, path, force=True)
    assert path.lstat().st_ino == before.st_ino
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_runs_are_removed(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    names = ("dead.wav", "living.wav", "young.wav", "other.txt")
    dead, living, young, other = (tmp_path / f"{TEMPORARY_PREFIX}{name}" for name in names)
    for path in (dead, living, young, other):
        path.write_bytes(b"x")
    kept = tmp_path / "kept.wav"
    kept.write_bytes(wav_bytes())
    link = tmp_path / f"{TEMPORARY_PREFIX}link.wav"
    link.symlink_to(kept)
    fifo = tmp_path / f"{TEMPORARY_PREFIX}fifo.wav"
    os.mkfifo(fifo)
    for path in (dead, living, other, fifo, kept):
        os.utime(path, (1, 1))
    with living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        preflight.fix(GOOD, tmp_path / "out.wav")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {path.name for path in (living, young, other, kept, link, fifo)} | {"out.wav"}


def wav_bytes() -> bytes:
    import numpy as np

    return wav(np.zeros(100, np.float32))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has /proc and /sys")
def test_recordings_are_read_where_sys_is_not_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a chroot, /sys may be an empty folder on the file system of everything else."""
    monkeypatch.setattr("preflight.input.source._PSEUDO", ("/",))
    with Source.open(FIXTURES / "good.wav") as source:
        assert source.size > 0


def test_a_url_is_named_as_such() -> None:
    (finding,) = preflight.check("https://storage.example/take.m4a").findings
    assert (finding.rule, finding.message) == (
        "unreadable",
        "this is a URL, not a file: download the recording, and pass the file",
    )


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_reported_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir(mode=0)
    with pytest.raises(CannotOpen, match="this folder cannot be read: permission denied"):
        Source.open(folder)
