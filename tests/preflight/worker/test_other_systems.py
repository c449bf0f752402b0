"""The command on a system without memfd, /proc, prctl, pipe2, pidfd, poll and limits on memory: only POSIX remains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from preflight.worker import monitor
from preflight.worker import process as worker_process
from preflight.worker.pool import end_all
from tests.support.faulty_decoders import FAULTS, install
from tests.support.make_audio import FIXTURES

PROGRAM = FIXTURES.parent / "tests" / "support" / "without_linux.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="removes what Linux has")


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ONETAKE_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-P", str(PROGRAM), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_reports_are_the_same(tmp_path: Path) -> None:
    names = [str(FIXTURES / name) for name in ("good.wav", "good.m4a", "damaged.mp3", "text.mp3")]
    done = run(tmp_path, "check", *names, "--json")
    usual = subprocess.run(
        [sys.executable, "-m", "onetake", "check", *names, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == usual.returncode, done.stderr
    assert json.loads(done.stdout) == json.loads(usual.stdout)


@pytest.mark.slow
def test_fix_prompt_and_clone_work(tmp_path: Path) -> None:
    commands = (
        ("fix", str(FIXTURES / "voice-message.ogg"), "-o", str(tmp_path / "fixed.wav")),
        ("prompt", str(FIXTURES / "prompt.wav"), "--pick", "1", "-o", str(tmp_path / "clip.m4a")),
        ("clone", str(FIXTURES / "good.m4a"), "--text", "Hello.", "--model", "speech-2.8-hd",
         "--demo", str(tmp_path / "demo.mp3"), "--sandbox"),
    )  # fmt: skip
    for command in commands:
        done = run(tmp_path, *command)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"fixed.wav", "clip.m4a", "demo.mp3"}


@pytest.mark.parametrize("limit", ["CPU_LIMIT_S", "MEMORY_BYTES"])
def test_the_caller_ends_a_worker_above_a_limit(limit: str, faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system enforces no limits: the decoder hangs, and the worker's own limit is off."""
    import preflight

    monkeypatch.setattr(worker_process, "_IS_MONITORED", True)
    monkeypatch.setattr(monitor, limit, 0.5 if limit == "CPU_LIMIT_S" else 1000)
    install(FAULTS["hang"], monkeypatch)
    assert preflight.check(FIXTURES / "empty.wav").verdict == "rejected"
    words = preflight.check(faulty).findings[0].message
    assert ("timed out" if limit == "CPU_LIMIT_S" else "memory") in words
    end_all()
