"""The command in a process of its own, and waiting for what it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

HANGS_AFTER_S: Final = 300.0
"""No test waits longer. It only ends a test that hangs: what is waited for comes much sooner on any machine."""
ONETAKE: Final = (sys.executable, "-m", "onetake")


def wait_until(happened: Callable[[], object], seconds: float = HANGS_AFTER_S) -> None:
    """Wait until `happened` says so.

    Raises:
        AssertionError: It did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:.0f} s"
        time.sleep(0.01)


def default_signals() -> None:
    """Start with the default dispositions, regardless of what the parent ignores (for `preexec_fn`)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def ignored_signals() -> None:
    """Start with SIGINT and SIGHUP ignored, as in a shell's background with nohup (for `preexec_fn`)."""
    default_signals()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


class Running:
    """A running command whose output can be read while it runs.

    Args:
        arguments: Of the command line.
        env: Added to the environment.
        before: What starts the command.
        signals: Sets the signal dispositions in the child.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = ONETAKE,
        signals: Callable[[], None] = default_signals,
    ) -> None:
        self.process = subprocess.Popen(
            [*before, *arguments],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=signals,  # noqa: PLW1509 - it only makes system calls
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._out, self._err = bytearray(), bytearray()
        self._readers = [self._read(self.process.stdout, self._out), self._read(self.process.stderr, self._err)]

    def _read(self, pipe: IO[bytes], into: bytearray) -> threading.Thread:
        def copy() -> None:
            with pipe:
                while piece := os.read(pipe.fileno(), 65536):
                    into.extend(piece)

        reader = threading.Thread(target=copy, daemon=True)
        reader.start()
        return reader

    @property
    def out(self) -> str:
        """Standard output until now."""
        return self._out.decode()

    @property
    def err(self) -> str:
        """Standard error until now."""
        return self._err.decode()

    def wait_for_line(self, text: str) -> None:
        """Wait until it has printed `text`, on either stream."""
        wait_until(lambda: text in self.out or text in self.err or self.process.poll() is not None)
        assert text in self.out + self.err, f"it ended before it printed {text!r}: {self.err}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end, and return status, standard output and standard error; none of it may be a traceback."""
        try:
            self.process.wait(HANGS_AFTER_S)
        finally:
            self.process.kill()
        for reader in self._readers:
            reader.join(HANGS_AFTER_S)
        assert "Traceback" not in self.err, self.err
        assert "Exception ignored" not in self.err, self.err
        return self.process.returncode, self.out, self.err


def processes_with(temporary_folder: str) -> dict[int, str]:
    """The command lines of the processes whose TMPDIR is `temporary_folder`, but for this one; on Linux."""
    wanted = temporary_folder.encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
                if line and wanted in (folder / "environ").read_bytes():
                    found[int(folder.name)] = line.replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found
