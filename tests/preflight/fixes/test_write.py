"""Where `fix` writes: only under a name that is free and right, all of it or nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import preflight
from tests.support.make_audio import FIXTURES, talk, wav
from tests.support.processes import HANGS_AFTER_S

FIX = "import sys, preflight\npreflight.fix(sys.argv[1], sys.argv[2], force=True)\n"


def take(name: str) -> Path:
    return FIXTURES / name


@pytest.mark.parametrize("name", ["out", "out.flac", "out.wav.txt", "out.ogg"])
def test_an_ending_that_is_not_accepted(name: str, tmp_path: Path) -> None:
    with pytest.raises(preflight.BadOutput, match=r"\.wav, \.mp3 or \.m4a"):
        preflight.fix(take("good.wav"), tmp_path / name)


def test_an_ending_that_would_lie(tmp_path: Path) -> None:
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


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_text("mine")
    with pytest.raises(preflight.OutputExists, match="exists already"):
        preflight.fix(take("telephone.wav"), out)
    assert out.read_text() == "mine"
    preflight.fix(take("telephone.wav"), out, force=True)
    assert preflight.check(out).verdict == "ready"
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere")
    with pytest.raises(preflight.OutputExists):
        preflight.fix(take("telephone.wav"), tmp_path / "dangling.wav")


def test_a_folder_keeps_the_name_and_gives_the_right_ending(tmp_path: Path) -> None:
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
    with pytest.raises(preflight.CannotWrite):
        preflight.fix(take("telephone.wav"), tmp_path / ("x" * 300 + ".wav"))
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
    """300 s that have to be coded as AAC, which takes a second or more."""
    path = tmp_path_factory.mktemp("slow") / "slow.flac"
    path.write_bytes(wav(talk(290), form="FLAC"))
    return path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_end_in_the_middle_leaves_nothing_under_the_name(number: int, slow_take: Path, tmp_path: Path) -> None:
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


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
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
