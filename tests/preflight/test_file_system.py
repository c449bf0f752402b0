"""File operations of macOS and Windows, as far as another system can show them."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from preflight.errors import CannotOpen, CannotWrite
from preflight.file_system import copy_mode, is_device_name, remove_file, replace_file, sync_file
from preflight.fixes.write import write_verified
from preflight.input.small_text import read_small_text
from preflight.input.source import Source

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and fcntl of POSIX")
SHARING_VIOLATION = 32


def in_use(code: int = SHARING_VIOLATION) -> PermissionError:
    """The exception that Windows raises for a file that another program has open."""
    error = PermissionError(errno.EACCES, "in use")
    error.winerror = code  # type: ignore[attr-defined]
    return error


@POSIX
@pytest.mark.parametrize(
    ("failure", "is_synced"), [(None, False), (errno.ENOTSUP, True), (errno.EINVAL, True), (errno.ENOTTY, True)]
)
def test_macos_writes_the_cache_of_the_drive(
    failure: int | None, is_synced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    asked, synced = list[tuple[int, int]](), list[int]()

    def full_sync(handle: int, command: int) -> int:
        asked.append((command, os.fstat(handle).st_size))
        if failure is not None:
            raise OSError(failure, os.strerror(failure))
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full_sync)
    monkeypatch.setattr(os, "fsync", synced.append)
    with (tmp_path / "file").open("wb") as file:
        file.write(b"abc")
        sync_file(file)
    assert asked == [(51, 3)]  # after the buffer was written
    assert bool(synced) is is_synced


@POSIX
def test_a_failure_to_write_the_cache_of_the_drive_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def full_disk(handle: int, command: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full_disk)
    with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match="No space"):
        sync_file(file)


def test_a_file_is_flushed_before_it_is_synced(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"abc")
        sync_file(file)
        assert (tmp_path / "file").read_bytes() == b"abc"


@POSIX
@pytest.mark.parametrize(("platform", "mode"), [("linux", 0o440), ("darwin", 0o440), ("win32", 0o600)])
def test_the_mode_is_not_copied_on_windows(
    platform: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for path, before in ((source, 0o440), (target, 0o600)):
        path.touch()
        path.chmod(before)
    monkeypatch.setattr(sys, "platform", platform)
    copy_mode(source, target)
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize("code", [5, 32, 33])
def test_a_rename_is_repeated_while_another_program_has_the_file_open(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    failures, pauses = [in_use(code), in_use(code)], list[float]()
    rename = Path.replace

    def replace(path: Path, to: Path) -> Path:
        if failures:
            raise failures.pop()
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(time, "sleep", pauses.append)
    replace_file(source, target)
    assert target.read_bytes() == b"new"
    assert pauses == [0.01, 0.02]


def test_what_stays_open_is_an_error_for_a_rename_and_left_by_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise in_use()

    path, pauses = tmp_path / "file", list[float]()
    path.touch()
    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(PermissionError):
        replace_file(path, tmp_path / "other")
    remove_file(path)
    assert sum(pauses) == pytest.approx(2 * 1.58)


def test_permissions_that_are_missing_are_reported_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    with pytest.raises(PermissionError, match="denied"):
        replace_file(tmp_path / "source", tmp_path / "target")


@pytest.mark.parametrize(("name", "is_device"), [("con.wav", True), ("NUL", True), ("console.wav", False)])
def test_device_names_of_windows(name: str, is_device: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert is_device_name(name) is is_device
    monkeypatch.setattr(sys, "platform", "linux")
    assert not is_device_name(name)


def test_a_recording_that_another_program_has_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "take.wav"
    path.touch()

    def refuse(*_: object) -> int:
        raise in_use()

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(CannotOpen, match="no permission"):
            Source.open(path)
        patch.setattr(sys, "platform", "win32")
        for read in (Source.open, read_small_text):
            with pytest.raises(CannotOpen) as caught:
                read(path)
            assert str(caught.value).startswith("another program has this file open")
            assert caught.value.hint == "close it there"


def test_a_part_that_another_program_has_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"RIFF")

    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with Source.open(path) as source, monkeypatch.context() as patch:
        patch.setattr(os, "read", refuse)
        with pytest.raises(CannotOpen, match="reading failed: Permission denied"):
            source.read_at(0, 4)
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(CannotOpen, match="another program has locked a part of this file"):
            source.read_at(0, 4)


def test_an_output_that_another_program_has_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise in_use()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        patch.setattr(time, "sleep", lambda _: None)
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(CannotWrite, match=r"another program has '.*out\.wav' open") as caught:
            write_verified(path, "wav", lambda file, _: file.write(b"new"), force=True)
    assert caught.value.hint == "close it there, or choose another name"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.wav"]
