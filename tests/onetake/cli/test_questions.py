"""Questions at a terminal: consent, and the confirmation of a batch."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.soak.kills import make_takes
from tests.support.processes import HANGS_AFTER_S
from tests.support.services import FIXTURES, Services, onetake, paid_calls


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
    ran = onetake("clone", str(FIXTURES / "good.wav"), "--json")
    assert (ran.status, "consent-missing" in ran.out) == (2, True)
