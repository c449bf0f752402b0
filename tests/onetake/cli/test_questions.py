"""Questions at a terminal: consent, the confirmation of a batch, and poor quality."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import onetake
from onetake.errors import TakePoor
from onetake.ledger import Ledger
from tests.onetake.conftest import Say
from tests.soak.rig import make_takes
from tests.support.ledgers import store_voice
from tests.support.make_audio import talk, wav
from tests.support.processes import HANGS_AFTER_S
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, paid_calls
from tests.support.services import onetake as run_onetake
from uploader import StorageError


class Terminal:
    """The command in a pseudo-terminal."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self._line = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "onetake", *arguments])
        self.shown = ""

    def until(self, words: str, seconds: float = HANGS_AFTER_S) -> str:
        """Read until `words` are shown."""
        deadline = time.monotonic() + seconds
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown
            self._read()
        return self.shown

    def answer(self, text: str) -> None:
        os.write(self._line, text.encode())

    def end(self) -> int:
        """Read to the end, and return the exit status."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._line], [], [], HANGS_AFTER_S)[0]:
            os.kill(self.pid, signal.SIGKILL)
            raise AssertionError(f"nothing more was shown after {self.shown!r}")
        try:
            piece = os.read(self._line, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += piece.decode()
        return bool(piece)


@pytest.fixture(autouse=True)
def _far(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a service that is not on this machine and cannot be reached."""
    for name, value in services.settings(ONETAKE_BASE_URL="https://service.invalid").items():
        monkeypatch.setenv(name, value)


def test_consent_is_asked_for_once_in_a_batch(home: Path) -> None:
    make_takes(Path("many"), 2)
    terminal = Terminal("clone", "many")
    terminal.until("Who agreed that this voice is cloned, and when")
    terminal.answer("yes\n")
    terminal.until("write a name and a date")
    terminal.answer("Ann Example, today\n")
    # the storage is on this machine, where a service far away could not fetch anything
    terminal.until("is a private address, which the service cannot reach")
    assert terminal.end() == 3
    assert terminal.shown.count("Who agreed") == 2  # of the answer that was none, and of all takes
    assert paid_calls(home) == []


def test_a_batch_is_confirmed_and_no_stops_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_takes(Path("many"), 3)
    monkeypatch.setenv("ONETAKE_CONSENT", "Ann Example, today")
    monkeypatch.setenv("ONETAKE_S3_ENDPOINT", "https://storage.invalid")
    terminal = Terminal("clone", "many", "--price", "9.9")
    terminal.until("3 recordings, up to 3 to be cloned, at most 29.7")
    terminal.until("Continue? [y/N]: ")
    terminal.answer("n\n")
    assert terminal.end() == 130
    assert paid_calls(home) == []


def test_without_a_terminal_nothing_is_asked(home: Path) -> None:
    ran = run_onetake("clone", str(FIXTURES / "good.wav"), "--json")
    assert (ran.status, "consent-missing" in ran.out) == (2, True)


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> str:
    """A take of which a quarter is clipped; the storage cannot be reached, which is found out when it is sent."""
    monkeypatch.setenv("ONETAKE_CONSENT", "Ann Example, today")
    monkeypatch.setenv("ONETAKE_S3_ENDPOINT", "https://storage.invalid")
    Path("poor.wav").write_bytes(wav(np.clip(talk(12) * 30, -1, 1)))
    return "poor.wav"


def test_a_poor_take_is_paid_for_only_after_a_question(poor: str, home: Path) -> None:
    terminal = Terminal("clone", poor)
    shown = terminal.until("Pay for its clone anyway? [y/N]: ")
    assert "poor.wav: ready, but poor: clipped (" in shown
    terminal.answer("n\n")
    assert terminal.end() == 1
    assert "nothing was sent or charged" in " ".join(terminal.shown.split())
    assert paid_calls(home) == []


@pytest.mark.slow
def test_a_poor_take_is_sent_after_a_yes(poor: str, home: Path) -> None:
    terminal = Terminal("clone", poor)
    terminal.until("Pay for its clone anyway? [y/N]: ")
    terminal.answer("y\n")
    assert terminal.end() == 3  # the storage cannot be reached
    assert paid_calls(home) == []


@parametrize_some("options", [(), ("--dry-run",), ("--format", "jsonl"), ("--format", "jsonl", "--dry-run")], fast=2)
def test_without_a_terminal_a_poor_take_is_refused(poor: str, home: Path, say: Say, options: tuple[str, ...]) -> None:
    ran = say("clone", poor, *options, "--format", "jsonl" if "jsonl" in options else "json")
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (1, "take-poor")
    assert error["message"].startswith("poor.wav: ready, but poor: clipped (")
    assert "--accept-poor" in error["hint"]
    assert paid_calls(home) == []


@pytest.mark.slow
def test_a_poor_take_can_be_accepted_beforehand(poor: str, home: Path, say: Say) -> None:
    assert say("clone", poor, "--dry-run", "--accept-poor").status == 0
    assert say("clone", poor, "--accept-poor").status == 3
    assert say("clone", poor, "--dry-run", "--sandbox").status == 0
    with pytest.raises(TakePoor):
        onetake.clone(poor, consent="Ann Example, today")
    with pytest.raises(StorageError):
        onetake.clone(poor, consent="Ann Example, today", accept_poor=True)


def test_a_voice_is_forgotten_only_after_a_question(home: Path) -> None:
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, "anna")
    refused = run_onetake("voices", "forget", "anna")
    assert (refused.status, "add --yes" in refused.err) == (2, True)
    terminal = Terminal("voices", "forget", "anna")
    terminal.until("Delete the voice anna (voice_1) and its recordings from the ledger? This cannot be undone. [y/N]: ")
    terminal.answer("n\n")
    assert terminal.end() == 130
    with Ledger(home / "onetake") as ledger:
        assert ledger.voices.is_known("anna")
    terminal = Terminal("voices", "forget", "anna")
    terminal.until("[y/N]: ")
    terminal.answer("y\n")
    assert terminal.end() == 0
    with Ledger(home / "onetake") as ledger:
        assert ledger.voices.all() == []
