"""Atomic writes: complete or not at all, with the permissions that users expect."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from onetake.errors import UsageError
from onetake.io.atomic_write import atomic_write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither a umask nor FIFOs")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, content: bytes) -> None:
    with atomic_write(path) as (file, _):
        file.write(content)


@pytest.mark.usefixtures("umask")
def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path: Path) -> None:
    write(tmp_path / "new", b"new")
    assert mode(tmp_path / "new") == 0o640


@pytest.mark.usefixtures("umask")
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"old")
    old.chmod(0o604)
    write(old, b"new")
    assert (old.read_bytes(), mode(old)) == (b"new", 0o604)


def test_the_umask_is_never_changed_while_other_threads_create_files(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        stop = threading.Event()
        modes: set[int] = set()

        def create() -> None:
            number = 0
            while not stop.is_set():
                other = tmp_path / f"other-{number}"
                os.close(os.open(other, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                modes.add(mode(other))
                number += 1

        thread = threading.Thread(target=create)
        thread.start()
        for number in range(200):
            write(tmp_path / f"own-{number}", b"x")
        stop.set()
        thread.join()
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"old")

    def fail() -> None:
        with atomic_write(old) as (file, temporary):
            file.write(b"half")
            file.flush()
            assert temporary.read_bytes() == b"half"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert old.read_bytes() == b"old"


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    link.symlink_to(target)
    write(link, b"first")  # the target does not exist yet
    write(link, b"second")
    assert link.is_symlink()
    assert target.read_bytes() == b"second"
    assert not list(tmp_path.glob(".onetake-*"))


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    fifo, folder, loop, link = (tmp_path / name for name in ("fifo", "folder", "loop", "link"))
    os.mkfifo(fifo)
    folder.mkdir()
    loop.symlink_to(loop)
    link.symlink_to(fifo)
    for path in (fifo, folder, loop, link, Path(os.devnull)):
        with pytest.raises(UsageError):
            write(path, b"x")
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_file_that_was_replaced_by_a_fifo_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def replace_meanwhile() -> None:
        with atomic_write(path) as (file, _):
            file.write(b"x")
            os.mkfifo(path)

    with pytest.raises(UsageError, match="not a regular file"):
        replace_meanwhile()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
