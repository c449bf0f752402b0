"""What a stand-in endpoint reports to a test, and answers that a test delays."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence

from tests.support.processes import HANGS_AFTER_S


class HeldAnswers:
    """The log of a stand-in endpoint: each paid call is done, and answered only when the test releases it.

    Attributes:
        calls: The paid calls that were done until now.
        released: Set it to let the answers go.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.released = threading.Event()

    def __call__(self, line: str) -> None:
        """Called by the stand-in between its work and its answer."""
        if " POST " in line:
            self.calls += 1
            self.released.wait(HANGS_AFTER_S)


class CountedCalls:
    """The log of the stand-in: counts the paid calls that it has charged, each before it is answered."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0

    def __call__(self, line: str) -> None:
        if " POST " in line and "HTTP 200" in line:
            with self._changed:
                self.count += 1
                self._changed.notify_all()

    def wait_for(self, count: int, running: Sequence[subprocess.Popen[bytes]]) -> bool:
        """Whether there were so many calls before all of `running` had ended."""
        with self._changed:
            while self.count < count:
                if all(process.poll() is not None for process in running):
                    return False
                self._changed.wait(0.05)
        return True
