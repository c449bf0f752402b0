"""What a process that handles hostile bytes can no longer do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import preflight
from preflight.worker import child as worker_child
from preflight.worker import hardening
from preflight.worker.child import clean_environment, module_path
from preflight.worker.pool import acquire, end_all
from tests.support.make_audio import FIXTURES

GOOD = FIXTURES / "good.wav"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows have none of this without privileges")
BEGINNING = """
import sys; sys.path[:] = sys.argv[2:]
import ctypes, json, os, signal, socket, subprocess, threading
from preflight.worker.hardening import harden
target = sys.argv[1]
opened = os.open(target + "/secret", os.O_RDONLY)
was = harden(readable=[target + "/model"])
def attempt():
    {attempt}
try:
    result = attempt()
except BaseException as error:
    result = type(error).__name__
os.write(1, json.dumps([*was, result]).encode())
"""


def attempted(attempt: str, folder: Path) -> tuple[hardening.Hardening, Any]:
    """What is in force in a hardened process, and what an attempt returned, or the name of its error."""
    script = BEGINNING.format(attempt=attempt)
    command = [sys.executable, "-P", "-s", "-S", "-c", script, str(folder), *module_path()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    *was, result = json.loads(done.stdout)
    return hardening.Hardening(*was), result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the user")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("of the model")
    return tmp_path


READS = {
    "a file of the user": "return open(target + '/secret').read()",
    "a folder of the user": "return os.listdir(target)",
    "the environment of another process": "return open(f'/proc/{os.getppid()}/environ').read()",
    "an open file of another process": "return os.open(f'/proc/{os.getppid()}/fd/0', os.O_RDONLY)",
    "its own memory": "return open('/proc/self/mem', 'rb').read(1)",
}
CALLS = {
    "a new file": "return os.open(target + '/new', os.O_WRONLY | os.O_CREAT)",
    "a file to write": "return os.open(target + '/model/weights', os.O_WRONLY)",
    "remove": "os.unlink(target + '/secret')",
    "rename": "os.rename(target + '/secret', target + '/model/secret')",
    "link": "os.link(target + '/secret', target + '/model/secret')",
    "folder": "os.mkdir(target + '/model/new')",
    "mode of what is open": "os.fchmod(opened, 0o777)",
    "time of what is open": "os.utime(opened)",
    "internet": "return socket.socket().fileno()",
    "datagrams": "return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).fileno()",
    "unix": "return socket.socket(socket.AF_UNIX).fileno()",
    "program": "return subprocess.run(['true']).returncode",
    "exec": "os.execv('/bin/true', ['true'])",
    "fork": "os._exit(0) if os.fork() == 0 else os.wait()",
    "signal": "os.kill(os.getppid(), 0)",
    "trace": "return 0 if ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0) == 0 else 1 / 0",
    "io_uring": "return 0 if ctypes.CDLL(None).syscall(425, 1, bytes(120)) >= 0 else 1 / 0",
}
STILL_WORKS = {
    "what is open": ("return os.read(opened, 100).decode()", "of the user"),
    "its model": ("return open(target + '/model/weights').read()", "of the model"),
    "Python and libraries": ("import wave, numpy, av, soundfile; return 'imported'", "imported"),
    "threads": ("thread = threading.Thread(target=print); thread.start(); thread.join(); return 'joined'", "joined"),
    "its own end": ("signal.signal(2, lambda *_: None); os.kill(os.getpid(), 2); return 'signalled'", "signalled"),
}


@LINUX
@pytest.mark.parametrize("attempt", READS.values(), ids=READS)
def test_it_reads_no_files_but_its_own(attempt: str, folder: Path) -> None:
    was, result = attempted(attempt, folder)
    assert was.no_new_privileges
    if not was.files:
        pytest.skip("this kernel has no Landlock")
    assert result == "PermissionError"


@LINUX
@pytest.mark.parametrize("attempt", CALLS.values(), ids=CALLS)
def test_it_changes_nothing_and_opens_no_connection(attempt: str, folder: Path) -> None:
    was, result = attempted(attempt, folder)
    if not was.system_calls:
        pytest.skip("no seccomp on this kernel or architecture")
    assert result in {"PermissionError", "ZeroDivisionError"}
    assert (folder / "secret").stat().st_mode & 0o777 != 0o777
    assert sorted(path.name for path in folder.rglob("*")) == ["model", "secret", "weights"]


@LINUX
@pytest.mark.parametrize("part", ["files", "system_calls"])
def test_where_one_part_is_missing_the_other_holds(part: str, folder: Path) -> None:
    """As with kernels that have one of the two: no file is written with either."""
    name = {"files": "hardening.restrict_files", "system_calls": "seccomp.deny_system_calls"}[part]
    module, function = name.split(".")
    script = BEGINNING.format(attempt=CALLS["a new file"])
    patched = f"from preflight.worker import {module}; {module}.{function} = lambda *_: False\ntarget ="
    command = [sys.executable, "-P", "-s", "-S", "-c", script.replace("target =", patched, 1), str(folder)]
    done = subprocess.run([*command, *module_path()], capture_output=True, timeout=60, check=True)
    *was, result = json.loads(done.stdout)
    assert not getattr(hardening.Hardening(*was), part)
    if not any(was[1:]):
        pytest.skip("this kernel has neither")
    assert result == "PermissionError"


@pytest.mark.parametrize(("attempt", "expected"), STILL_WORKS.values(), ids=STILL_WORKS)
def test_it_can_do_its_work(attempt: str, expected: str, folder: Path) -> None:
    assert attempted(attempt, folder)[1] == expected


@LINUX
def test_a_decoder_that_is_taken_over_reaches_nothing(
    faulty: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same within a job: what code in the place of a decoder does is refused, and the recording is still read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempts = (
            f"lambda: open({str(folder / 'secret')!r}).read()",
            f"lambda: open({str(folder / 'new')!r}, 'w')",
            f"lambda: __import__('socket').create_connection({server.getsockname()!r})",
            "lambda: os.execv(sys.executable, [sys.executable])",
        )
        lines = [f"done = [work() for work in ({', '.join(attempts)},) if not refused(work)]"]
        lines.append("if done: os._exit(3)")
        monkeypatch.setattr(
            worker_child,
            "_START",
            (room_start := _start("\n    ".join(lines))),
        )
        assert room_start
        end_all()
        report = preflight.check(faulty)
    assert "not-examined" not in {finding.rule for finding in report.findings}
    assert {finding.rule for finding in report.errors} == {"truncated", "too-short"}
    assert not (folder / "new").exists()


def _start(fault: str) -> str:
    from tests.support.faulty_decoders import START

    refused = """
def refused(work):
    try:
        work()
    except PermissionError:
        return True
    return False
"""
    return START.replace("decode = Decoder", refused + "decode = Decoder", 1).format(fault=fault)


SECRETS = ("ONETAKE_API_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "all_proxy", "PYTHONPATH", "LD_PRELOAD_X", "HOME")


@LINUX
def test_its_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "/secret")
    end_all()
    assert preflight.check(GOOD).verdict == "ready"
    with acquire() as process:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
    end_all()
    names = {entry.partition("=")[0] for entry in environment.split("\0") if entry}
    assert "PATH" in names
    assert not names & set(SECRETS)
    assert "secret" not in environment


def test_the_environment_keeps_what_a_process_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "OPENBLAS_NUM_THREADS", "SystemRoot", "TMPDIR"):
        monkeypatch.setenv(name, "kept")
    kept = clean_environment()
    assert kept["PATH"] == os.environ["PATH"]
    assert {"LC_ALL", "OPENBLAS_NUM_THREADS", "SystemRoot", "TMPDIR"} <= set(kept)


@LINUX
def test_it_is_hardened_while_it_decodes() -> None:
    end_all()
    assert preflight.check(GOOD).verdict == "ready"
    with acquire() as process:
        status = Path(f"/proc/{process.pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines())
    assert values["NoNewPrivs"].strip() == "1"
    if os.uname().machine in {"x86_64", "aarch64"}:
        assert values["Seccomp"].strip() == "2"


def test_a_recording_that_was_removed_or_renamed_meanwhile_is_still_the_one_that_was_opened(tmp_path: Path) -> None:
    from preflight.input.source import Source

    path = tmp_path / "take.wav"
    path.write_bytes(GOOD.read_bytes())
    with Source.open(path) as source:
        path.rename(tmp_path / "other.wav")
        path.write_bytes(b"another")
        if sys.platform == "linux":
            with source.reopened() as descriptor:
                assert os.fstat(descriptor).st_ino == source.identity[1]
                assert os.read(descriptor, 4) == b"RIFF"
        else:
            with pytest.raises(preflight.CannotOpen, match="replaced"), source.reopened():
                pass
