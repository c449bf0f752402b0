"""Output files: complete and verified, under a name that fits, or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

import preflight
from preflight.fixes.write import (
    is_folder,
    require_output,
    write_verified,
)
from tests.support.make_audio import FIXTURES, talk, wav
from tests.support.processes import HANGS_AFTER_S

FIX = "import sys, preflight\npreflight.fix(sys.argv[1], sys.argv[2], force=True)\n"


def take(name: str) -> Path:
    return FIXTURES / name


@pytest.mark.parametrize("name", ["out", "out.flac", "out.wav.txt", "out.ogg"])
def test_a_suffix_that_is_not_accepted(name: str, tmp_path: Path) -> None:
    with pytest.raises(preflight.BadOutput, match=r"\.wav, \.mp3 or \.m4a"):
        preflight.fix(take("good.wav"), tmp_path / name)


def test_a_suffix_that_does_not_fit_the_result(tmp_path: Path) -> None:
    with pytest.raises(preflight.BadOutput) as caught:
        preflight.fix(take("good.wav"), tmp_path / "out.mp3")
    assert "'out.wav'" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_take_itself_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(take("telephone.wav").read_bytes())
    (tmp_path / "link.wav").symlink_to(path)
    (tmp_path / "twin.wav").hardlink_to(path)
    for out in (path, tmp_path / "link.wav", tmp_path / "twin.wav", tmp_path / "." / "take.wav", tmp_path):
        with pytest.raises(preflight.BadOutput, match="the take itself"):
            preflight.fix(path, out, force=True)
    assert path.read_bytes() == take("telephone.wav").read_bytes()


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_text("mine")
    with pytest.raises(preflight.OutputExists, match="already exists"):
        preflight.fix(take("telephone.wav"), out)
    assert out.read_text() == "mine"
    preflight.fix(take("telephone.wav"), out, force=True)
    assert preflight.check(out).verdict == "ready"
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere")
    with pytest.raises(preflight.OutputExists):
        preflight.fix(take("telephone.wav"), tmp_path / "dangling.wav")


def test_in_a_folder_the_result_gets_the_right_suffix(tmp_path: Path) -> None:
    fixed = preflight.fix(take("wrong-name.mp3"), tmp_path)
    assert fixed.path == str(tmp_path / "wrong-name.m4a")
    with pytest.raises(preflight.OutputExists):
        preflight.fix(take("wrong-name.mp3"), tmp_path)


@pytest.mark.parametrize(("name", "kind"), [("gone/out.wav", "CannotWrite"), ("a\0b.wav", "BadOutput")])
def test_names_that_cannot_be_written(name: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(preflight.PreflightError) as caught:
        preflight.fix(take("telephone.wav"), tmp_path / name)
    assert type(caught.value).__name__ == kind
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_name_too_long_for_the_system(tmp_path: Path) -> None:
    with pytest.raises(preflight.CannotWrite, match="the name of the output is too long") as caught:
        preflight.fix(take("telephone.wav"), tmp_path / ("x" * 300 + ".wav"))
    assert caught.value.hint == "choose a shorter name"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(preflight.CannotWrite):
        preflight.fix(take("telephone.wav"), tmp_path / "out.wav")


@pytest.mark.parametrize(
    ("name", "ending"),
    [("telephone.wav", ".wav"), ("good.wav", ".wav"), ("quicktime.qta", ".m4a"), ("truncated.mp3", ".mp3"),
     ("voice-message.ogg", ".m4a"), ("voice-message.ogg", ".mp3")],
)  # fmt: skip
def test_a_full_disk_leaves_nothing(name: str, ending: str, tmp_path: Path) -> None:
    """A limit on file sizes fails like a full disk: every way of writing is tried against it."""
    program = (
        "import sys, resource, preflight\n"
        "from preflight.fixes import encode, remux\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: preflight.fix(sys.argv[1], sys.argv[2])\n"
        "except preflight.CannotWrite as error: print(error.message)\n"
    )
    out = tmp_path / f"out{ending}"
    command = [sys.executable, "-B", "-c", program, str(take(name)), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)
    assert (done.stdout, done.stderr) == ("the disk is full, or a size limit was reached\n", "")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def slow_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """290 s that have to be encoded as AAC, which takes a second or more."""
    path = tmp_path_factory.mktemp("slow") / "slow.flac"
    path.write_bytes(wav(talk(290), form="FLAC"))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_no_output(number: int, slow_take: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    child = subprocess.Popen([sys.executable, "-c", FIX, str(slow_take), str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not any(file.stat().st_size for file in tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(number)
    assert child.wait(30) != 0
    assert not out.exists()
    if number == signal.SIGINT:
        assert not list(tmp_path.iterdir())


def test_concurrent_writers_do_not_overwrite_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    outcomes: list[str] = []

    def run() -> None:
        try:
            preflight.fix(take("telephone.wav"), out)
            outcomes.append("written")
        except preflight.OutputExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["exists", "exists", "exists", "written"]
    assert preflight.check(out).verdict == "ready"
    assert [file.name for file in tmp_path.iterdir()] == ["out.wav"]


def test_the_result_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    preflight.fix(take("telephone.wav"), tmp_path / "out.wav")
    assert (tmp_path / "out.wav").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def count() -> int:
        return sum(1 for number in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0] % 4096) if is_open(number))

    before = count()
    for name in ("good.wav", "damaged.mp3", "noise.m4a", "empty.wav", "quicktime.qta", "truncated.m4a"):
        preflight.check(take(name))
    preflight.fix(take("quicktime.qta"), tmp_path)
    assert count() == before


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def produce(data: bytes) -> Callable[[IO[bytes], Path], str]:
    def write(file: IO[bytes], temporary: Path) -> str:
        file.write(data)
        file.flush()
        assert temporary.read_bytes() == data
        return "verified"

    return write


def fail(file: IO[bytes], _temporary: Path) -> None:
    file.write(b"partial")
    raise preflight.CannotFix("the result would be rejected")


@pytest.mark.parametrize("force", [True, False])
def test_a_verified_file_gets_its_name(force: bool, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert write_verified(out, "wav", produce(b"new"), force=force) == "verified"
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.wav", b"new")]


@pytest.mark.parametrize("force", [True, False])
def test_a_file_that_fails_verification_is_removed(force: bool, tmp_path: Path) -> None:
    with pytest.raises(preflight.CannotFix):
        write_verified(tmp_path / "out.wav", "wav", fail, force=force)
    assert not list(tmp_path.iterdir())


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"

    def slow(file: IO[bytes], _temporary: Path) -> None:
        file.write(b"new")
        out.write_bytes(b"other")

    with pytest.raises(preflight.OutputExists):
        write_verified(out, "wav", slow, force=False)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.wav", b"other")]


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_verified(link, "wav", produce(b"new"), force=True)
    assert link.is_symlink()
    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"new", 0o640)


@pytest.mark.parametrize("force", [True, False])
def test_a_fifo_is_not_replaced(force: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.wav")
    with pytest.raises((preflight.BadOutput, preflight.OutputExists)):
        require_output(take("good.wav"), tmp_path / "out.wav", force=force)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EFBIG, "the disk is full"),
        (errno.ENOENT, "could not be written to .*no such file"), (errno.EACCES, "permission denied"),
        (errno.EIO, "could not be written to .*: input/output error"),
    ],
)  # fmt: skip
def test_system_errors_are_explained(number: int, words: str, tmp_path: Path) -> None:
    def broken(_file: IO[bytes], _temporary: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(preflight.CannotWrite, match=words) as caught:
        write_verified(tmp_path / "out.wav", "wav", broken, force=False)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "expected"), [(".", True), ("missing", False), ("x" * 300, False), ("a\0b", False)])
def test_what_is_a_folder(name: str, expected: bool, tmp_path: Path) -> None:
    assert is_folder(tmp_path / name) == expected
