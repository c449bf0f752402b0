"""A decoder that crashes, hangs, takes too much memory or answers nonsense costs one finding."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import preflight
from onetake.cli.main import run
from preflight.input.source import Source
from preflight.worker import child as worker_child
from preflight.worker import process as worker_process
from preflight.worker import protocol
from preflight.worker.pool import end_all
from tests.support.faulty_decoders import FAULTS, idle_process, install
from tests.support.make_audio import FIXTURES
from tests.support.processes import HANGS_AFTER_S
from tests.support.selection import parametrize_some

GOOD = FIXTURES / "good.wav"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@parametrize_some("is_batch", [False, True], fast=1)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_decoder_that_fails_costs_one_finding(
    fault: str, is_batch: bool, faulty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(FAULTS[fault], monkeypatch)
    check = (lambda path: next(preflight.check_many([path], workers=1))) if is_batch else preflight.check
    assert check(GOOD).verdict == "ready"
    first = idle_process()
    report = check(faulty)
    assert report.verdict == "rejected"
    assert [finding.rule for finding in report.findings] == ["unreadable"]
    message = report.findings[0].message
    assert "\n" not in message
    assert ": " in message
    words = {"hang": "timed out", "hang in C": "timed out", "memory": "memory"}.get(fault, "crash")
    assert words in message
    assert report.file.sha256 == hashlib.sha256(faulty.read_bytes()).hexdigest()
    assert check(GOOD).verdict == "ready"
    assert (idle_process() == first) == (fault == "memory")  # a worker that answers is kept


def test_what_a_library_prints_disturbs_nothing(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("print('noise', flush=True); os.write(1, b'noise')", monkeypatch)
    errors = {finding.rule for finding in preflight.check(faulty).errors}
    assert errors == {"truncated", "too-short"}  # since it gives no sound after that


@pytest.mark.parametrize(("bug", "words"), [("raise KeyError('secret')", "KeyError"), ("os._exit(3)", "status 3")])
def test_a_bug_is_a_finding_of_its_file_and_reported_as_a_bug(
    bug: str,
    words: str,
    faulty: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    install(bug, monkeypatch)
    for report in (preflight.check(faulty), *preflight.check_many([faulty], workers=1)):
        assert (report.path, report.verdict) == (str(faulty), "rejected")
        assert [finding.rule for finding in report.findings] == ["not-examined"]
        assert words in report.findings[0].message
        assert "secret" not in report.findings[0].message
    with pytest.raises(preflight.NotExamined, match=words):
        preflight.fix(faulty, tmp_path / "out.wav")
    end_all()
    assert run(["check", str(GOOD), str(faulty), str(GOOD), "--exit-zero"]) == 6
    output = capfd.readouterr().out
    assert output.count("good.wav: ready") == 2
    assert "faulty.wav: rejected" in output
    assert run(["fix", str(faulty), "-o", str(tmp_path / "out.wav")]) == 6
    assert "faulty.wav: this is a bug" in capfd.readouterr().err


def test_one_process_serves_many_recordings() -> None:
    pids = set()
    for _ in range(5):
        assert preflight.check(GOOD).verdict == "ready"
        pids.add(idle_process())
    assert len(pids) == 1


def test_one_that_died_is_replaced() -> None:
    assert preflight.check(GOOD).verdict == "ready"
    pid = idle_process()
    os.kill(pid, signal.SIGKILL)
    assert preflight.check(GOOD).verdict == "ready"
    assert idle_process() != pid


def test_two_at_once_have_one_each() -> None:
    reports: list[preflight.Report] = []
    threads = [
        threading.Thread(target=lambda name=name: reports.append(preflight.check(FIXTURES / name)))
        for name in ("good.wav", "good.m4a", "good.mp3") * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [report.verdict for report in reports] == ["ready"] * 6


@LINUX
def test_nothing_is_left_open() -> None:
    preflight.check(GOOD)
    before = sorted(Path("/proc/self/fd").iterdir())
    for name in ("good.wav", "good.m4a", "noise.m4a", "unfinished.m4a", "empty.wav") * 4:
        preflight.check(FIXTURES / name)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    pid = idle_process()
    end_all()
    assert not Path(f"/proc/{pid}").exists()  # nor is it a zombie


@LINUX
def test_a_fork_does_not_share_the_process() -> None:
    program = (
        "import os, preflight\n"
        f"good = {str(GOOD)!r}\n"
        "preflight.check(good)\n"
        "child = os.fork()\n"
        "assert all(preflight.check(good).verdict == 'ready' for _ in range(3))\n"
        "if child:\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=HANGS_AFTER_S)


def test_a_recording_that_is_still_written_to_is_reported(faulty: Path) -> None:
    def append(_seconds: float, _total_s: float | None) -> None:
        with faulty.open("ab") as file:
            file.write(b"more")

    report = preflight.check(faulty, on_progress=append)
    assert [finding.rule for finding in report.findings] == ["unreadable"]
    assert "changed while it was read" in report.findings[0].message


def test_a_recording_that_is_replaced_meanwhile_is_not_mistaken(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file cannot be opened again by its descriptor, it is by its path: another one may stand there by now."""
    monkeypatch.setattr("preflight.input.source._DESCRIPTORS", "/nowhere")
    reopened = Source.reopened

    def replaced(source: Source) -> AbstractContextManager[int]:
        faulty.with_name("new.wav").write_bytes(faulty.read_bytes())
        faulty.with_name("new.wav").replace(faulty)
        return reopened(source)

    monkeypatch.setattr(Source, "reopened", replaced)
    assert "replaced" in preflight.check(faulty).findings[0].message
    monkeypatch.setattr(Source, "reopened", reopened)
    assert preflight.check(faulty).verdict == "ready"


@LINUX
def test_what_has_no_name_of_its_own_is_read_all_the_same(tmp_path: Path) -> None:
    program = "import preflight, sys; print(preflight.check(sys.argv[1]).verdict)"
    with GOOD.open("rb") as take:
        piped = subprocess.run(
            [sys.executable, "-c", program, "/dev/stdin"], stdin=take, capture_output=True, text=True, check=True
        )
    assert piped.stdout == "ready\n"
    gone_file = tmp_path / "gone.wav"
    gone_file.write_bytes(GOOD.read_bytes())
    with gone_file.open("rb") as take:
        gone_file.unlink()
        assert preflight.check(f"/proc/self/fd/{take.fileno()}").file.duration_s == pytest.approx(11.495, abs=0.01)


def test_a_relative_path_after_the_folder_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.check(GOOD)  # the process was started elsewhere
    (tmp_path / "take.wav").write_bytes(GOOD.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert preflight.check("take.wav").verdict == "ready"


HARMED = """
import os, signal, sys
sys.path[:] = sys.argv[2:]
from preflight.media.decoder import Decoder
from preflight.worker import worker as child
decode, served = Decoder.stored_blocks, []
def stored_blocks(decoder):
    if served:
        os.kill(os.getpid(), signal.SIGSEGV)
    served.append(decoder)
    yield from decode(decoder)
Decoder.stored_blocks = stored_blocks
child.main(sys.argv[1])
"""


def test_a_good_recording_is_not_blamed_for_the_one_before(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a hostile file has harmed may crash later: then a new one has the last word."""
    monkeypatch.setattr(worker_child, "_START", HARMED)
    assert preflight.check(faulty).verdict == "ready"
    first = idle_process()
    assert preflight.check(GOOD).verdict == "ready"
    assert idle_process() != first


@pytest.mark.slow
def test_a_slow_worker_is_waited_for_and_a_silent_one_is_not(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("for block in decode(decoder): time.sleep(0.5); yield block", monkeypatch)
    assert preflight.check(GOOD).verdict == "ready"  # the worker is started, which may take long
    monkeypatch.setattr(worker_process, "_SILENT_S", 3.0)
    assert preflight.check(faulty).file.duration_s == pytest.approx(30 + 8.2, abs=0.1)
    install("time.sleep(60)", monkeypatch)
    end_all()
    assert "no data from the decoder for 3 s" in preflight.check(faulty).findings[0].message


def test_progress_is_reported_from_the_first_block_to_the_end(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("for block in decode(decoder): time.sleep(0.1); yield block", monkeypatch)
    seen: list[tuple[float, float | None]] = []
    preflight.check(faulty, on_progress=lambda seconds, total_s: seen.append((seconds, total_s)))
    assert len(seen) >= 2
    assert seen == sorted(seen)
    assert all(total_s == pytest.approx(30, abs=0.1) for _, total_s in seen)


def test_a_worker_that_cannot_be_passed_descriptors_opens_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [preflight.check(FIXTURES / name) for name in ("good.wav", "good.m4a", "text.mp3")]
    end_all()
    monkeypatch.delattr(socket, "send_fds")
    assert [preflight.check(FIXTURES / name) for name in ("good.wav", "good.m4a", "text.mp3")] == expected
    end_all()


def test_a_worker_opens_no_other_file_under_the_same_path(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "send_fds")
    send = protocol.send

    def replaced(descriptor: int, message: protocol.Job) -> None:
        faulty.with_name("new.wav").write_bytes(faulty.read_bytes())
        faulty.with_name("new.wav").replace(faulty)
        send(descriptor, message)

    monkeypatch.setattr(protocol, "send", replaced)
    assert "replaced" in preflight.check(faulty).findings[0].message


@LINUX
@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0), reason="Python 3.13.0 cannot import extension modules where the folder is gone"
)
def test_the_folder_may_be_gone(tmp_path: Path) -> None:
    """Also where modules are looked for in it, as in a session in a terminal."""
    folder = tmp_path / "folder"
    program = (
        "import os, shutil, preflight\n"
        "take = os.open('take.wav', os.O_RDONLY)\n"
        "shutil.rmtree(os.getcwd())\n"
        "print(preflight.check(f'/proc/self/fd/{take}').verdict, preflight.check('take.wav').findings[0].message)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    for option in ("-P", "-q"):
        folder.mkdir()
        (folder / "take.wav").write_bytes(GOOD.read_bytes())
        done = subprocess.run(
            [sys.executable, option, "-c", program], cwd=folder, capture_output=True, text=True, env=env, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("ready ")
        assert "no such file" in done.stdout
